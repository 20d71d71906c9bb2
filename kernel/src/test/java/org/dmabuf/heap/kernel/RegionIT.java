// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.HeapContract;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of regions whose exported ranges are dma-bufs, on pages of 4 KiB, of 2 MiB and of 1 GiB. */
class RegionIT {
    private static final String HEAP = "camera";
    private static final long HUGE = 2L << 20;
    /** The page of 1 GiB. The guest reserves it at boot, when a run of that length is still free. */
    private static final long GIANT = 1L << 30;
    /** More than the contract uses at once, because some ranges are still waiting to be zeroed. */
    private static final long SIZE = 40L << 20;

    private static final long FRAME = 3L << 20;

    @BeforeAll
    static void huge_pages_are_reserved() throws IOException {
        Path pool = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
        Files.writeString(pool, Long.toString(SIZE / HUGE));
        assertEquals(SIZE / HUGE, Long.parseLong(Files.readString(pool).strip()));
    }

    private static RegionSource open(long pageSize) {
        return open(SIZE, pageSize);
    }

    private static RegionSource open(long size, long pageSize) {
        RegionLayout layout =
                RegionLayout.of(size, "size").withPageSize(pageSize).withExports(RegionLayout.Exports.UDMABUF);
        return RegionSource.open(HEAP, layout, Syscalls.linux(), Headroom.machine());
    }

    @TestFactory
    Stream<DynamicTest> a_region_on_small_pages_keeps_the_contract() throws IOException {
        return contract(open(Bytes.PAGE));
    }

    @TestFactory
    Stream<DynamicTest> a_region_on_huge_pages_keeps_the_contract() throws IOException {
        return contract(open(HUGE));
    }

    private static Stream<DynamicTest> contract(RegionSource source) throws IOException {
        Map<String, Object> announced = new HashMap<>(source.properties());
        announced.put(HeapProperties.NAME, HEAP);
        Properties skips = new Properties();
        try (var list = RegionIT.class.getResourceAsStream("/udmabuf.properties")) {
            skips.load(list);
        }
        Map<String, String> reasons =
                skips.stringPropertyNames().stream().collect(Collectors.toMap(name -> name, skips::getProperty));
        return HeapContract.of(source, announced).skipping(reasons).cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(
                            c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }))
                .onClose(source::close);
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, HUGE})
    void the_announced_properties_match_the_pages(long pageSize) throws IOException {
        try (RegionSource source = open(pageSize)) {
            assertEquals(true, source.properties().get(HeapProperties.DMABUF));
            assertEquals("udmabuf", source.properties().get(HeapProperties.BACKEND));
            assertEquals(pageSize, source.properties().get(HeapProperties.CONTIGUOUS_MAX));
            assertEquals(pageSize, source.properties().get(HeapProperties.ALIGNMENT));
            assertFalse(source.properties().containsKey(HeapProperties.CONTIGUOUS));
            List<HeapBuffer> buffers = new ArrayList<>();
            try {
                long page = Bytes.PAGE;
                for (long size : new long[] {page, 3 * page, HUGE / 2 + page, HUGE - page, HUGE, FRAME, page}) {
                    HeapBuffer buffer = source.allocate(HeapRequest.of(size));
                    buffers.add(buffer);
                    assertPhysicalRuns(buffer.map(Access.READ), pageSize);
                }
            } finally {
                buffers.forEach(HeapBuffer::release);
            }
        }
    }

    /** Checks that the frame of each page follows the frame of the page before, except at multiples of the run. */
    private static void assertPhysicalRuns(MemorySegment mapping, long run) throws IOException {
        long[] frames = Frames.of(mapping);
        for (int page = 1; page < frames.length; page++) {
            if (page * Bytes.PAGE % run != 0) {
                assertEquals(frames[page - 1] + 1, frames[page], "page " + page + " of " + frames.length);
            }
        }
    }

    @Test
    void a_region_on_one_page_of_1_gib_is_contiguous_memory_and_so_is_each_buffer_of_it() throws IOException {
        HeapBuffer all;
        try (RegionSource source = open(GIANT, GIANT)) {
            assertEquals(true, source.properties().get(HeapProperties.DMABUF));
            assertEquals(true, source.properties().get(HeapProperties.CONTIGUOUS));
            assertEquals(GIANT, source.properties().get(HeapProperties.CONTIGUOUS_MAX));
            assertEquals(GIANT, source.properties().get(HeapProperties.ALIGNMENT));

            HeapBuffer left = filled(source, 1);
            HeapBuffer buffer = filled(source, 2);
            HeapBuffer right = filled(source, 3);
            try (Arena peer = Arena.ofConfined()) {
                MemorySegment view;
                try (OwnedFd fd = new Descriptors(Syscalls.linux()).duplicate(HEAP, buffer.descriptor())) {
                    view = new Mappings(Syscalls.linux()).map(fd, FRAME, Access.READ_WRITE, peer);
                }
                assertFilled(2, view);
                view.fill((byte) 4);
                assertFilled(1, left.map(Access.READ));
                assertFilled(4, buffer.map(Access.READ));
                assertFilled(3, right.map(Access.READ));
                assertPhysicalRuns(buffer.map(Access.READ), GIANT);
                buffer.release();
                assertEquals(FRAME, source.usage().quarantined().orElseThrow());
            }
            await("the quarantine ends", () -> source.usage().quarantined().orElseThrow() == 0);
            left.release();
            right.release();

            HeapException tooLarge = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(GIANT)));
            assertEquals(Errno.ENOMEM, tooLarge.errno());
            assertTrue(
                    tooLarge.getMessage().contains("write 1024 or more into /sys/module/udmabuf/parameters"),
                    tooLarge.getMessage());

            all = source.allocate(HeapRequest.of(GIANT).withExport(ExportMode.NONE));
            assertPhysicalRuns(all.map(Access.READ), GIANT);
            assertEquals(0, Frames.of(all.map(Access.READ))[0] % (GIANT / Bytes.PAGE));
        }
        all.release(); // after the close: zeroing 1 GiB takes this machine seconds, and the memory is not used again
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, HUGE})
    void a_peer_sees_only_its_own_buffer_before_and_after_reuse(long pageSize) {
        try (RegionSource source = open(pageSize)) {
            HeapBuffer left = filled(source, 1);
            HeapBuffer middle = filled(source, 2);
            HeapBuffer right = filled(source, 3);
            try (Arena peer = Arena.ofShared()) {
                MemorySegment view;
                try (OwnedFd fd = new Descriptors(Syscalls.linux()).duplicate(HEAP, middle.descriptor())) {
                    Mappings mmap = new Mappings(Syscalls.linux());
                    view = mmap.map(fd, FRAME, Access.READ_WRITE, peer);
                    long tooMuch = FRAME + Bytes.PAGE;
                    HeapException tooLong =
                            assertThrows(HeapException.class, () -> mmap.map(fd, tooMuch, Access.READ, peer));
                    assertEquals(Errno.EINVAL, tooLong.errno());
                }
                assertFilled(2, view);
                view.fill((byte) 4);
                assertFilled(1, left.map(Access.READ));
                assertFilled(3, right.map(Access.READ));
                assertFilled(4, middle.map(Access.READ));

                middle.release();
                assertEquals(FRAME, source.usage().quarantined().orElseThrow());
                List<HeapBuffer> tenants = fillUp(source);
                assertFilled(4, view);
                view.fill((byte) 5); // as a holder can that continues to write
                tenants.forEach(tenant -> assertFilled(9, tenant.map(Access.READ)));
                tenants.forEach(HeapBuffer::release);
            }
            await("the quarantine ends", () -> source.usage().quarantined().orElseThrow() == 0);
            left.release();
            right.release();
            fillUp(source).forEach(HeapBuffer::release); // the allocation checks that each is zero
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, HUGE})
    void memory_that_a_killed_peer_held_is_zero_before_it_is_used_again(long pageSize, @TempDir Path folder)
            throws IOException, InterruptedException {
        try (RegionSource source = open(pageSize)) {
            HeapBuffer buffer = filled(source, 7);
            Process peer = peer(folder, buffer);
            try {
                buffer.release();
                assertEquals(FRAME, source.usage().quarantined().orElseThrow());
                fillUp(source).forEach(HeapBuffer::release);
                assertEquals(FRAME, source.usage().quarantined().orElseThrow());
            } finally {
                peer.destroyForcibly().waitFor();
            }
            await("the quarantine ends", () -> source.usage().quarantined().orElseThrow() == 0);
            await("all is zeroed", () -> source.usage().free().orElseThrow() == SIZE);
            HeapBuffer all = source.allocate(HeapRequest.of(SIZE));
            assertFilled(0, all.map(Access.READ));
            all.release();
        }
    }

    /** Starts a process that has a buffer mapped, with no message in flight. */
    private static Process peer(Path folder, HeapBuffer buffer) throws IOException {
        Path script = Files.writeString(folder.resolve("peer.py"), """
                import mmap, socket, sys
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
                    peer.connect(sys.argv[1])
                    _, (fd,), _, _ = socket.recv_fds(peer, 256, 1)
                memory = mmap.mmap(fd, int(sys.argv[2]))
                memory[0] = 7
                print("held", flush=True)
                sys.stdin.read()
                """);
        try (FdListener listener = FdListener.bind(folder.resolve("peer"))) {
            Process process = new ProcessBuilder(
                            "python3",
                            "-S",
                            script.toString(),
                            listener.path().toString(),
                            Long.toString(buffer.size()))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (FdSocket socket = listener.accept(Duration.ofSeconds(60), any -> true);
                    OwnedFd fd = new Descriptors(Syscalls.linux()).duplicate(HEAP, buffer.descriptor())) {
                socket.send(fd, "frame");
            }
            assertEquals("held", process.inputReader(StandardCharsets.UTF_8).readLine());
            return process;
        }
    }

    /** The buffer does not use the memory of its range, so the memory is allocated twice. */
    @Test
    void memfds_beside_a_region_on_huge_pages_use_ordinary_pages_and_their_ranges_are_free_when_they_are_gone() {
        RegionLayout layout = RegionLayout.of(SIZE, "size").withPageSize(HUGE).withExports(RegionLayout.Exports.MEMFD);
        try (RegionSource source = RegionSource.open(HEAP, layout, Syscalls.linux(), Headroom.machine())) {
            assertEquals(Bytes.PAGE, source.properties().get(HeapProperties.CONTIGUOUS_MAX));
            HeapBuffer buffer = source.allocate(HeapRequest.of(FRAME));
            try (OwnedFd _ = new Descriptors(Syscalls.linux()).duplicate(HEAP, buffer.descriptor())) {
                buffer.release();
                assertEquals(FRAME, source.usage().quarantined().orElseThrow());
            }
            await("the range is free", () -> source.usage().free().orElseThrow() == SIZE);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, HUGE})
    void a_region_stays_until_its_last_peer_is_gone(long pageSize) {
        ProcessState before = ProcessState.now();
        RegionSource source = open(pageSize);
        HeapBuffer buffer = filled(source, 6);
        try (Arena peer = Arena.ofShared()) {
            MemorySegment view;
            source.close();
            try (OwnedFd fd = new Descriptors(Syscalls.linux()).duplicate(HEAP, buffer.descriptor())) {
                view = new Mappings(Syscalls.linux()).map(fd, FRAME, Access.READ, peer);
            }
            buffer.release();
            assertFilled(6, view);
            assertEquals(FRAME, source.usage().quarantined().orElseThrow());
        }
        await("the region is closed", () -> before.leftIn(ProcessState.now()).isEmpty());
    }

    /** Allocates all free memory, one frame after the other, and checks that it is zero. */
    private static List<HeapBuffer> fillUp(RegionSource source) {
        List<HeapBuffer> buffers = new ArrayList<>();
        HeapException full = assertThrows(HeapException.class, () -> {
            while (true) {
                buffers.add(filled(source, 9));
            }
        });
        assertEquals(Errno.ENOMEM, full.errno());
        assertTrue(buffers.size() >= 2, buffers.size() + " frames");
        return buffers;
    }

    private static HeapBuffer filled(RegionSource source, int value) {
        HeapBuffer buffer = source.allocate(HeapRequest.of(FRAME));
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        assertFilled(0, mapping);
        mapping.fill((byte) value);
        return buffer;
    }

    private static void assertFilled(int value, MemorySegment memory) {
        long eight = (value & 0xffL) * 0x0101010101010101L;
        for (long offset = 0; offset < memory.byteSize(); offset += Long.BYTES) {
            if (memory.get(ValueLayout.JAVA_LONG, offset) != eight) {
                throw new AssertionError("not " + value + " at " + offset + " of " + memory.byteSize());
            }
        }
    }

    private static void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, what + " takes longer than a minute");
            Thread.onSpinWait();
        }
    }
}
