// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of memory of other processes and of misbehaving heaps, on the kernel's devices and under a cgroup's limit. */
class HostileMemoryIT {
    private static final long MIB = 1 << 20;
    private static final long HUGE = 2 * MIB;
    private static final int PUNCH_HOLE_KEEP_SIZE = 0x3;
    private static final int MADV_DONTNEED = 4;
    private static final int MADV_REMOVE = 9;

    @TempDir
    Path folder;

    private static MemorySource open(String heap) {
        return switch (heap) {
            case "udmabuf" -> UdmabufSource.open(heap, Syscalls.linux(), Headroom.machine());
            case "region" -> region(Bytes.PAGE, RegionLayout.Exports.UDMABUF, 4 * MIB);
            default -> throw new IllegalArgumentException(heap);
        };
    }

    private static RegionSource region(long pageSize, RegionLayout.Exports exports, long size) {
        RegionLayout layout =
                RegionLayout.of(size, "size").withPageSize(pageSize).withExports(exports);
        return RegionSource.open("region", layout, Syscalls.linux(), Headroom.machine());
    }

    @Test
    void dma_bufs_without_pages_are_read_or_refused_under_a_cgroups_limit() throws Exception {
        Path script = folder.resolve("sender.py");
        try (InputStream source = HostileMemoryIT.class.getResourceAsStream("/sender.py")) {
            Files.write(script, source.readAllBytes());
        }
        Path socket = folder.resolve("sender");
        Process sender = new ProcessBuilder(
                        "python3",
                        "-S",
                        script.toString(),
                        socket.toString(),
                        Long.toString(100 * MIB),
                        Long.toString(400 * MIB))
                .inheritIO()
                .start();
        try (MemoryCgroup cgroup = MemoryCgroup.make().orElseThrow()) {
            assertEquals(
                    List.of(
                            "hollow: 0 beside all other memory",
                            "punched: 1 beside all other memory",
                            "graphics: 0 beside all other memory",
                            "graphics: ENOMEM"),
                    cgroup.run(Adopting.class, socket.toString()));
        } finally {
            sender.destroyForcibly().waitFor();
        }
    }

    /** Runs in the process in the cgroup. */
    static final class Adopting {
        public static void main(String[] arguments) {
            try (BrokerParts broker = new BrokerParts();
                    FdListener listener = FdListener.bind(Path.of(arguments[0]));
                    FdSocket sender = listener.accept(Duration.ofSeconds(60), peer -> true)) {
                broker.memfd("system");
                for (int i = 0; i < 4; i++) {
                    adopt(broker, sender);
                }
            }
        }

        private static void adopt(BrokerParts broker, FdSocket sender) {
            FdMessage message = sender.receive();
            String kind = message.text();
            try (DmaBuf buffer = broker.adoption.adopt(broker.client, message.descriptor(), "hostile");
                    Arena arena = Arena.ofConfined()) {
                try (OwnedFd fd = buffer.exportFd()) {
                    sender.send(fd, "adopted");
                }
                sender.receive().close();
                List<BufferReference> others = takeAll(broker);
                MemorySegment memory = buffer.map(Access.READ, arena);
                byte first = memory.get(ValueLayout.JAVA_BYTE, 0);
                assertFilled(first, memory);
                others.forEach(BufferReference::close);
                System.out.println(MemoryCgroup.LINE_PREFIX + kind + ": " + first + " beside all other memory");
            } catch (HeapException e) {
                System.out.println(MemoryCgroup.LINE_PREFIX + kind + ": " + e.errno());
                message.close();
            }
        }
    }

    /** Allocates memfds until the first refusal. Their pages are allocated without an access. */
    private static List<BufferReference> takeAll(BrokerParts broker) {
        List<BufferReference> held = new ArrayList<>();
        try {
            while (held.size() < MemoryCgroup.LIMIT / MIB) {
                held.add(broker.allocate(AllocationRequest.of(10 * MIB).withHeaps("system")));
            }
        } catch (HeapException e) {
            return held;
        }
        throw new AssertionError("no end");
    }

    /** A holder of a buffer has only the dma-buf, and not the memfd behind it. */
    @ParameterizedTest
    @ValueSource(strings = {"udmabuf", "region"})
    void a_holder_cannot_remove_pages_of_a_live_or_lingering_dma_buf_and_the_next_buffer_is_zero(String heap) {
        long size = 4 * MIB; // all of the region
        try (MemorySource source = open(heap);
                BrokerParts broker = new BrokerParts()) {
            broker.heap("system", source, source.properties());
            BufferReference reference = broker.allocate(size);
            try (Arena holder = Arena.ofConfined();
                    OwnedFd fd = reference.exportFd()) {
                MemorySegment view = new Mappings(Syscalls.linux()).map(fd, size, Access.READ_WRITE, holder);
                try (reference;
                        Arena own = Arena.ofConfined()) {
                    reference.map(Access.READ_WRITE, own).fill((byte) 1);
                    assertNothingIsTaken(fd, view);
                }
                assertNothingIsTaken(fd, view);
                view.fill((byte) 2);
            }
            Await.until(
                    "the region is free",
                    () -> heap.equals("udmabuf") || source.usage().free().orElseThrow() == size);
            try (BufferReference next = broker.allocate(size);
                    Arena own = Arena.ofConfined()) {
                assertFilled(0, next.map(Access.READ, own));
            }
        }
    }

    private static void assertFilled(int value, MemorySegment memory) {
        for (long at = 0; at < memory.byteSize(); at += 512) {
            assertEquals(value, memory.get(ValueLayout.JAVA_BYTE, at));
        }
    }

    private static void assertNothingIsTaken(OwnedFd fd, MemorySegment view) {
        Syscalls kernel = Syscalls.linux();
        assertTrue(kernel.fallocate(fd.fd(), PUNCH_HOLE_KEEP_SIZE, 0, view.byteSize()) < 0);
        assertTrue(kernel.madvise(view.address(), view.byteSize(), MADV_REMOVE) < 0);
        kernel.madvise(view.address(), view.byteSize(), MADV_DONTNEED);
        assertFilled(1, view);
    }

    @Test
    void a_heap_whose_code_hangs_leaves_a_carveout_and_a_udmabuf_heap_as_they_are() throws Exception {
        CountDownLatch goOn = new CountDownLatch(1);
        BrokerParts broker = new BrokerParts(Duration.ofMillis(200));
        try (MemorySource region = open("region");
                MemorySource udmabuf = open("udmabuf")) {
            broker.heap("bad", new FakeHeap(request -> new HangingMemory(request.size(), goOn)));
            RegisteredHeap camera = broker.heap("camera", region, region.properties());
            RegisteredHeap system = broker.heap("system", udmabuf, udmabuf.properties());
            for (int i = 0; i < 20; i++) {
                for (String heap : List.of("bad", "camera", "system")) {
                    try (BufferReference reference =
                                    broker.allocate(AllocationRequest.of(MIB).withHeaps(heap));
                            Arena arena = Arena.ofConfined()) {
                        reference.map(Access.READ_WRITE, arena);
                    }
                }
            }
            assertEquals(
                    HeapState.HANGING, broker.info("bad", HeapState.HANGING).state());
            broker.info("camera", HeapState.SERVING);
            broker.info("system", HeapState.SERVING);
            Await.until(
                    "the others' buffers are gone",
                    () -> camera.account().buffers() == 0 && system.account().buffers() == 0);
            Thread stop = Thread.ofPlatform().daemon().start(broker::close);
            assertTrue(stop.join(Duration.ofSeconds(60)), "the broker's stop waits for the heap that hangs");
        } finally {
            goOn.countDown();
        }
    }

    /** Memory of a heap whose unmap and release return only when a test permits it. */
    private static final class HangingMemory extends FakeMemory {
        private final CountDownLatch goOn;

        HangingMemory(long size, CountDownLatch goOn) {
            super(size);
            this.goOn = goOn;
        }

        private void hang() {
            try {
                assertTrue(goOn.await(300, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }

        @Override
        public void unmap(MemorySegment mapping) {
            hang();
            super.unmap(mapping);
        }

        @Override
        public void release() {
            hang();
            super.release();
        }
    }

    /** Since Linux 6.7 the kernel charges huge pages, if the cgroup file system is mounted with that option. */
    @ParameterizedTest
    @ValueSource(strings = {"", "memory_hugetlb_accounting"})
    void a_carveout_on_huge_pages_is_refused_where_they_count_against_the_limit_and_nowhere_else(String option)
            throws Exception {
        Path pool = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
        String before = Files.readString(pool).strip();
        Files.writeString(pool, Long.toString(280 * MIB / HUGE));
        remount(option);
        try (MemoryCgroup cgroup = MemoryCgroup.make().orElseThrow()) {
            List<String> expected = option.isEmpty()
                    ? List.of("280 MiB: granted", "100 MiB: granted, and all other memory", "alive")
                    : List.of(
                            "280 MiB: ENOMEM by " + cgroup.folder().resolve("memory.max"),
                            "100 MiB: granted, and all other memory",
                            "alive");
            assertEquals(expected, cgroup.run(OnHugePages.class));
        } finally {
            remount("");
            Files.writeString(pool, before);
        }
    }

    private static void remount(String option) throws IOException, InterruptedException {
        int status = new ProcessBuilder(
                        "mount", "-t", "cgroup2", "-o", "remount,rw," + option, "cgroup", "/sys/fs/cgroup")
                .inheritIO()
                .start()
                .waitFor();
        assertEquals(0, status);
        assertEquals(
                !option.isEmpty(),
                Files.readString(Path.of("/proc/self/mountinfo")).contains("memory_hugetlb_accounting"));
    }

    /** Runs in the process in the cgroup. */
    static final class OnHugePages {
        public static void main(String[] arguments) {
            try (RegionSource _ = region(HUGE, RegionLayout.Exports.UDMABUF, 280 * MIB)) {
                System.out.println(MemoryCgroup.LINE_PREFIX + "280 MiB: granted");
            } catch (HeapException e) {
                System.out.println(MemoryCgroup.LINE_PREFIX + "280 MiB: " + e.errno() + " by "
                        + e.getMessage().replaceAll(".* left of the limit in (\\S+) .*", "$1"));
            }
            try (RegionSource region = region(HUGE, RegionLayout.Exports.UDMABUF, 100 * MIB);
                    BrokerParts broker = new BrokerParts();
                    Arena arena = Arena.ofConfined()) {
                broker.heap("camera", region, region.properties());
                broker.memfd("system");
                takeAll(broker);
                broker.allocate(AllocationRequest.of(20 * MIB).withHeaps("camera"))
                        .map(Access.READ_WRITE, arena)
                        .fill((byte) 1);
                System.out.println(MemoryCgroup.LINE_PREFIX + "100 MiB: granted, and all other memory");
            }
            System.out.println(MemoryCgroup.LINE_PREFIX + "alive");
        }
    }
}
