// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.ReferenceQueue;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.RulesParser;
import org.dmabuf.heap.broker.account.UsageSnapshot;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.StartFailures;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.kernel.HolderProcess;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fence.DeviceFences;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the broker's charges for dma-bufs that other processes hold, compared with the kernel's list. */
class HolderTrackerIT {
    private static final long SIZE = 1 << 20;
    private static final String NAME = "peers-it";
    private static final Path LIST = Path.of("/sys/kernel/debug/dma_buf/bufinfo");
    private static final int MOST_TRIES = 30_000;

    private final Ledger ledger = new Ledger();
    private final HeapRegistry registry = new HeapRegistry(ledger);
    private final HolderTracker holders = new HolderTracker();
    private final LeakDetector leaks = new LeakDetector();
    private final Client client =
            new Client(ledger.enter(ClientId.ofBundle("org.example.camera", "test:camera")), leaks);
    private final Allocator allocator = new Allocator(
            registry,
            ledger,
            new BufferServices(
                    new Descriptors(Syscalls.linux()),
                    Optional.of(holders),
                    new DeviceFences(Syscalls.linux()),
                    new BrokerEvents() {},
                    new ReferenceQueue<>()),
            new AbsentHeaps(new UnavailableHeaps(), new StartFailures()));
    private final List<MemorySource> sources = new ArrayList<>();
    private final List<RegisteredHeap> heaps = new ArrayList<>();

    @TempDir
    Path folder;

    @BeforeEach
    void open() throws IOException {
        assertEquals(0, kernelsBytes());
        announce("system", DmaHeapSource.open("system", "system", Syscalls.linux(), Headroom.machine()));
        announce("udmabuf", UdmabufSource.open("udmabuf", Syscalls.linux(), Headroom.machine()));
        leaks.start();
    }

    private void announce(String name, MemorySource source) {
        sources.add(source);
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, name);
        heaps.add(registry.arrived(heaps.size() + 1, source, properties, "org.example." + name));
    }

    @AfterEach
    void close() throws IOException {
        client.stop("the test is over");
        leaks.stop();
        ledger.stop();
        holders.close();
        sources.forEach(MemorySource::close);
        assertEquals(0, kernelsBytes());
    }

    private DmaBuf allocate(String heap) {
        AllocationRequest request = AllocationRequest.of(SIZE).withHeaps(heap).withName(NAME);
        return allocator.allocate(client, request, 1)[0];
    }

    private long brokersBytes() {
        return heaps.stream().mapToLong(heap -> heap.account().bytes()).sum();
    }

    /** Returns the bytes in all buffers with this test's name, whatever process holds them. */
    private static long kernelsBytes() throws IOException {
        return Files.readAllLines(LIST).stream()
                .map(line -> line.split("\t"))
                .filter(columns -> columns.length == 7 && columns[6].equals(NAME))
                .mapToLong(columns -> Long.parseLong(columns[0].strip()))
                .sum();
    }

    private void assertBytes(long expected) throws IOException {
        assertEquals(expected, kernelsBytes(), "by the kernel");
        assertEquals(expected, brokersBytes(), "by the broker");
    }

    /** Checks that the broker never charges less than the kernel lists, and finally the same amount. */
    private void awaitBytes(long expected) throws IOException {
        for (int tries = 0; tries < MOST_TRIES; tries++) {
            long charged = brokersBytes();
            long held = kernelsBytes();
            assertTrue(held <= charged, () -> "held " + held + ", charged " + charged);
            if (charged == expected) {
                assertEquals(expected, held);
                return;
            }
            pause();
        }
        fail("still charged: " + brokersBytes());
    }

    private static void pause() {
        try {
            Thread.sleep(1);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Lets a buffer and its descriptor go, and waits until the thread that polls holders finds that. The thread then
     * also polls all others that are due.
     */
    private void letOneGo(String heap) throws IOException {
        long before = brokersBytes();
        DmaBuf other = allocate(heap);
        OwnedFd fd = other.exportFd();
        other.close();
        assertBytes(before + SIZE);
        fd.close();
        awaitBytes(before);
    }

    @ParameterizedTest
    @CsvSource({
        "system, descriptor, exit", "system, mapping, exit", "system, message, exit", "system, import, exit",
        "system, descriptor, kill", "system, mapping, kill", "system, message, kill", "system, import, kill",
        "udmabuf, descriptor, exit", "udmabuf, mapping, exit", "udmabuf, message, exit", "udmabuf, import, exit",
        "udmabuf, descriptor, kill", "udmabuf, mapping, kill", "udmabuf, message, kill", "udmabuf, import, kill"
    })
    void a_buffer_is_charged_until_the_process_ends_that_holds_it(String heap, String how, String end)
            throws IOException {
        assertBytes(0);
        DmaBuf buffer = allocate(heap);
        assertBytes(SIZE);
        OwnedFd fd = buffer.exportFd();
        try (HolderProcess holder = HolderProcess.start(folder, how, fd, SIZE)) {
            fd.close();
            assertBytes(SIZE);
            assertCharged(heap, 1, 0);
            buffer.close();
            assertCharged(heap, 0, 1);
            assertBytes(SIZE);
            letOneGo("system");
            letOneGo("udmabuf");
            assertCharged(heap, 0, 1);
            assertBytes(SIZE);
            holder.end(end);
            awaitBytes(0);
        }
        assertCharged(heap, 0, 0);
    }

    /** The thread that polls holders polls at intervals of 50 ms and more. */
    @ParameterizedTest
    @ValueSource(strings = {"system", "udmabuf"})
    void a_client_at_its_quota_is_served_as_soon_as_the_last_peer_is_gone(String heap) throws Exception {
        String[] none = {};
        ledger.apply(RulesParser.parse(none, new String[] {"*=1M"}, none, none, none, (_, _, right) -> fail(right)));
        DmaBuf buffer = allocate(heap);
        OwnedFd fd = buffer.exportFd();
        buffer.close();
        assertRefused(heap);
        Thread.sleep(20); // an answer is trusted for half of that time
        fd.close();
        allocate(heap).close();
        awaitBytes(0);
    }

    /** Measures a region that the buffer fills, with and without an allocation that waits for it. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void memory_of_a_region_is_used_again_when_its_peer_was_killed_and_the_time_to_that_is_printed(boolean wanted)
            throws IOException {
        RegionSource region = RegionSource.open(
                "camera",
                RegionLayout.of(SIZE, "size").withExports(RegionLayout.Exports.UDMABUF),
                Syscalls.linux(),
                Headroom.machine());
        announce("camera", region);
        long[] micros = new long[5];
        for (int i = 0; i < micros.length; i++) {
            DmaBuf frame = allocate("camera");
            OwnedFd fd = frame.exportFd();
            try (HolderProcess holder = HolderProcess.start(folder, "mapping", fd, SIZE)) {
                fd.close();
                frame.close();
                assertRefused("camera");
                long start = System.nanoTime();
                holder.end("kill");
                int tries = 0;
                while (wanted ? isRefused("camera") : region.usage().free().orElseThrow() < SIZE) {
                    assertTrue(++tries < MOST_TRIES);
                    pause();
                }
                micros[i] = (System.nanoTime() - start) / 1000;
            }
        }
        Arrays.sort(micros);
        System.out.println("from a peer's SIGKILL to reuse, " + (wanted ? "when asked for" : "unasked") + ": median "
                + micros[micros.length / 2] + " us, at most " + micros[micros.length - 1] + " us");
        awaitBytes(0);
    }

    private void assertRefused(String heap) {
        assertEquals(
                Errno.ENOMEM,
                assertThrows(HeapException.class, () -> allocate(heap)).errno());
    }

    /** {@return whether an allocation was refused for want of memory; otherwise its buffer is closed} */
    private boolean isRefused(String heap) {
        try {
            allocate(heap).close();
            return false;
        } catch (HeapException e) {
            assertEquals(Errno.ENOMEM, e.errno());
            return true;
        }
    }

    private void assertCharged(String heap, long live, long lingering) {
        UsageSnapshot snapshot = heaps.stream()
                .filter(one -> one.name().equals(heap))
                .findFirst()
                .orElseThrow()
                .account()
                .snapshot();
        assertEquals(live, snapshot.liveBuffers());
        assertEquals(live * SIZE, snapshot.liveBytes());
        assertEquals(lingering, snapshot.lingeringBuffers());
        assertEquals(lingering * SIZE, snapshot.lingeringBytes());
    }

    @ParameterizedTest
    @ValueSource(strings = {"system", "udmabuf"})
    void an_exported_buffer_stays_live_until_its_own_mapping_ends(String heap) throws IOException {
        DmaBuf buffer = allocate(heap);
        buffer.exportFd().close();
        try (Arena arena = Arena.ofConfined()) {
            buffer.map(Access.READ, arena);
            buffer.close();
            assertCharged(heap, 1, 0);
            assertBytes(SIZE);
        }
        awaitBytes(0);
    }

    /**
     * Writes and reads as the kernel's own test of its heaps does. CPU accesses must work even after a device has
     * imported the buffer.
     */
    @ParameterizedTest
    @ValueSource(strings = {"system", "udmabuf"})
    void a_buffer_is_written_and_read_in_cpu_accesses_before_and_after_a_device_imports_it(String heap)
            throws IOException {
        try (DmaBuf buffer = allocate(heap);
                Arena arena = Arena.ofConfined();
                OwnedFd fd = buffer.exportFd()) {
            MemorySegment segment = buffer.map(Access.READ_WRITE, arena);
            assertEquals(SIZE, segment.byteSize());
            byte[] zeros = segment.toArray(ValueLayout.JAVA_BYTE);
            assertArrayEquals(new byte[(int) SIZE], zeros);
            writeAndRead(buffer, segment, (byte) 0x5a);
            long before = holders(fd);
            try (HolderProcess _ = HolderProcess.start(folder, "import", fd, SIZE)) {
                assertTrue(holders(fd) > before, () -> "a device holds it, and the holders are as many as before");
                for (Access access : Access.values()) {
                    buffer.beginCpuAccess(access).close();
                }
                writeAndRead(buffer, segment, (byte) 0xa5);
            }
            writeAndRead(buffer, segment, (byte) 1);
        }
        awaitBytes(0);
    }

    private static void writeAndRead(DmaBuf buffer, MemorySegment segment, byte value) {
        try (CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
            segment.fill(value);
        }
        try (CpuAccess _ = buffer.beginCpuAccess(Access.READ)) {
            for (long at = 0; at < SIZE; at += 511) {
                assertEquals(value, segment.get(ValueLayout.JAVA_BYTE, at));
            }
        }
    }

    private static long holders(OwnedFd fd) throws IOException {
        return Long.parseLong(fdinfo(fd).get("count"));
    }

    private static Map<String, String> fdinfo(OwnedFd fd) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd.fd())).stream()
                .map(line -> line.split(":\\s*", 2))
                .collect(Collectors.toMap(part -> part[0], part -> part[1]));
    }

    @ParameterizedTest
    @CsvSource({"system, system", "udmabuf, udmabuf"})
    void the_kernel_lists_a_buffer_with_its_name_and_size(String heap, String exporter) throws IOException {
        try (DmaBuf buffer = allocate(heap);
                OwnedFd fd = buffer.exportFd()) {
            Map<String, String> shown = fdinfo(fd);
            assertEquals(NAME, shown.get("name"));
            assertEquals(Long.toString(SIZE), shown.get("size"));
            assertEquals(exporter, shown.get("exp_name"));
        }
        awaitBytes(0);
    }

    @Test
    void no_buffer_is_exported_for_reading_only() throws IOException {
        for (String heap : List.of("system", "udmabuf")) {
            AllocationRequest request =
                    AllocationRequest.of(SIZE).withHeaps(heap).withName(NAME).withExport(ExportMode.READ_ONLY);
            HeapException refusal = assertThrows(HeapException.class, () -> allocator.allocate(client, request, 1));
            assertEquals(Errno.ENODEV, refusal.errno());
            assertTrue(
                    refusal.getMessage().contains("cannot export a descriptor through which no holder can write"),
                    refusal.getMessage());
        }
        assertBytes(0);
    }
}
