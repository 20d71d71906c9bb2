// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.broker.heap.CallGateTest;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of references to buffers of real memory, with the process's state from /proc. */
class BufferReferenceOnRealMemoryTest {
    private static final long SIZE = 4 * Bytes.PAGE;
    /** Name by which /proc/self/maps shows every mapping of this test's buffers. */
    private static final String NAME = "broker-test-frame";

    private final BrokerParts broker = new BrokerParts();
    private RegisteredHeap heap;
    private ProcessState before;

    @BeforeAll
    static void initialize_classes_of_the_first_use() {
        try (BrokerParts warm = new BrokerParts()) {
            warm.memfd("warm");
            BufferReference reference = warm.allocate(SIZE);
            try (Arena arena = Arena.ofConfined()) {
                reference.map(Access.READ, arena);
            }
            reference.exportFd().close();
            reference.close();
        }
        ProcessState.now();
    }

    @BeforeEach
    void start() {
        heap = broker.memfd("system");
        before = ProcessState.now();
    }

    @AfterEach
    void nothing_is_left() {
        Await.until(
                "nothing is charged",
                () -> heap.account().buffers() == 0 && heap.account().bytes() == 0);
        broker.close();
        before.assertNothingLeft();
    }

    private BufferReference frame() {
        return broker.allocate(AllocationRequest.of(SIZE).withName(NAME));
    }

    private static long mappings() {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("/memfd:" + NAME)).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long openFlags(OwnedFd fd) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd.fd()))) {
            if (line.startsWith("flags:")) {
                return Long.parseLong(line.substring("flags:".length()).strip(), 8);
            }
        }
        throw new AssertionError("no flags");
    }

    private static long inode(OwnedFd fd) {
        try {
            return (Long) Files.getAttribute(Path.of("/proc/self/fd/" + fd.fd()), "unix:ino");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void memory_is_charged_while_it_lives_and_rounded_to_pages() {
        BufferReference reference =
                broker.allocate(AllocationRequest.of(SIZE - 1).withName(NAME));
        assertEquals(SIZE, reference.size());
        assertEquals(1, heap.account().buffers());
        assertEquals(SIZE, heap.account().bytes());
        reference.close();
        assertEquals(0, heap.account().bytes());
    }

    @Test
    void a_segment_stays_readable_and_writable_after_its_buffer_is_closed() {
        BufferReference reference = frame();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = reference.map(Access.READ_WRITE, arena);
            reference.close();
            segment.fill((byte) 0x5a);
            assertEquals(0x5a, segment.get(ValueLayout.JAVA_BYTE, SIZE - 1));
            assertEquals(1, mappings());
            assertEquals(SIZE, heap.account().bytes());
        }
        Await.until("the mapping is gone", () -> mappings() == 0);
    }

    @Test
    void the_end_of_an_arena_unmaps_exactly_its_own_mapping() {
        BufferReference reference = frame();
        Arena first = Arena.ofConfined();
        Arena second = Arena.ofShared();
        MemorySegment one = reference.map(Access.READ_WRITE, first);
        MemorySegment other = reference.map(Access.READ, second);
        reference.close();
        assertEquals(2, mappings());
        one.set(ValueLayout.JAVA_BYTE, 7, (byte) 7);
        first.close();
        Await.until("one mapping is gone", () -> mappings() == 1);
        assertThrows(IllegalStateException.class, () -> one.get(ValueLayout.JAVA_BYTE, 7));
        assertEquals(7, other.get(ValueLayout.JAVA_BYTE, 7));
        assertEquals(1, heap.account().buffers());
        second.close();
        Await.until("the other is gone", () -> mappings() == 0);
    }

    @Test
    void a_mapping_in_a_shared_arena_is_accessible_to_every_thread() throws InterruptedException {
        BufferReference reference = frame();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment segment = reference.map(Access.WRITE, arena);
            Thread other = Thread.ofPlatform().start(() -> segment.set(ValueLayout.JAVA_BYTE, 0, (byte) 9));
            other.join();
            assertEquals(9, segment.get(ValueLayout.JAVA_BYTE, 0));
        }
        reference.close();
    }

    @Test
    void an_automatic_arena_ends_when_its_segments_are_unreachable() {
        BufferReference reference = frame();
        mapAndForget(reference);
        reference.close();
        Await.untilCollected("the mapping is gone", () -> mappings() == 0);
    }

    private static void mapAndForget(BufferReference reference) {
        MemorySegment segment = reference.map(Access.READ_WRITE, Arena.ofAuto());
        segment.fill((byte) 1);
        assertEquals(1, mappings());
    }

    @Test
    void a_mapping_does_not_keep_its_reference_reachable() {
        // A mapping keeps the memory, and not an object that a client has built around a reference.
        BufferReference[] reference = {frame()};
        var gone = new java.lang.ref.WeakReference<>(reference[0]);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = reference[0].map(Access.READ_WRITE, arena);
            reference[0].close();
            reference[0] = null;
            Await.untilCollected("the reference is collected", () -> gone.refersTo(null));
            segment.fill((byte) 3);
        }
    }

    @Test
    void mapping_in_a_closed_arena_is_refused() {
        BufferReference reference = frame();
        Arena confined = Arena.ofConfined();
        confined.close();
        Arena shared = Arena.ofShared();
        shared.close();
        assertThrows(IllegalStateException.class, () -> reference.map(Access.READ, confined));
        assertThrows(IllegalStateException.class, () -> reference.map(Access.READ, shared));
        assertEquals(0, mappings());
        reference.close();
        assertEquals(0, heap.account().buffers()); // at once, because no mapping holds it
    }

    @Test
    void mapping_in_another_threads_arena_is_refused() {
        BufferReference reference = frame();
        try (Arena arena = Arena.ofConfined()) {
            Throwable[] thrown = new Throwable[1];
            CallGateTest.onAnotherThread(() -> {
                thrown[0] = assertThrows(WrongThreadException.class, () -> reference.map(Access.READ, arena));
                return 0;
            });
            assertEquals(WrongThreadException.class, thrown[0].getClass());
            assertEquals(0, mappings());
        }
        reference.close();
        assertEquals(0, heap.account().buffers());
    }

    @Test
    void the_global_arena_is_refused_because_it_never_ends() {
        BufferReference reference = frame();
        HeapException refusal = assertThrows(HeapException.class, () -> reference.map(Access.READ, Arena.global()));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(
                "heap 'system': buffer '" + NAME + "' of " + Bytes.text(SIZE) + ": the global arena never ends, so"
                        + " it would never be unmapped; use a confined, shared or automatic arena",
                refusal.getMessage());
        assertEquals(0, mappings());
        reference.close();
        assertEquals(0, heap.account().buffers());
    }

    /** Arena class of the client, which the API permits. */
    private record Wrapped(Arena inner) implements Arena {
        @Override
        public MemorySegment allocate(long size, long alignment) {
            return inner.allocate(size, alignment);
        }

        @Override
        public MemorySegment.Scope scope() {
            return inner.scope();
        }

        @Override
        public void close() {
            inner.close();
        }
    }

    @Test
    void an_arena_of_the_clients_own_class_works_like_the_arena_inside_it() {
        BufferReference reference = frame();
        assertThrows(HeapException.class, () -> reference.map(Access.READ, new Wrapped(Arena.global())));
        try (Arena arena = new Wrapped(Arena.ofConfined())) {
            assertEquals(SIZE, reference.map(Access.READ, arena).byteSize());
        }
        reference.close();
    }

    @Test
    void a_read_only_mapping_cannot_be_written() {
        BufferReference reference = frame();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment reads = reference.map(Access.READ, arena);
            MemorySegment writes = reference.map(Access.WRITE, arena);
            assertTrue(reads.isReadOnly());
            assertFalse(writes.isReadOnly());
            writes.set(ValueLayout.JAVA_BYTE, 3, (byte) 4);
            assertEquals(4, reads.get(ValueLayout.JAVA_BYTE, 3));
            assertEquals(SIZE, reads.byteSize());
        }
        reference.close();
    }

    @Test
    void fresh_memory_is_zero() {
        for (int i = 0; i < 8; i++) {
            try (BufferReference reference = frame();
                    Arena arena = Arena.ofConfined()) {
                MemorySegment segment = reference.map(Access.READ_WRITE, arena);
                assertEquals(-1, segment.mismatch(arena.allocate(SIZE)));
                segment.fill((byte) -1);
            }
        }
    }

    @Test
    void the_inode_is_that_of_every_exported_descriptor() {
        BufferReference reference = frame();
        try (OwnedFd one = reference.exportFd();
                OwnedFd two = reference.exportFd();
                DmaBuf duplicate = reference.newReference()) {
            long inode = inode(one);
            assertEquals(OptionalLong.of(inode), reference.inode());
            assertEquals(inode, inode(two));
            assertEquals(OptionalLong.of(inode), duplicate.inode());
            assertNotEquals(one.fd(), two.fd());
        }
        BufferReference other = frame();
        assertNotEquals(reference.inode(), other.inode());
        other.close();
        reference.close();
    }

    @Test
    void an_exported_descriptor_is_closed_on_exec_and_closed_once() throws IOException {
        BufferReference reference = frame();
        OwnedFd fd = reference.exportFd();
        assertTrue((openFlags(fd) & 02000000) != 0, "O_CLOEXEC");
        assertEquals(2, openFlags(fd) & 3, "O_RDWR");
        assertEquals("descriptor " + fd.fd(), fd.toString());
        fd.close();
        assertThrows(IllegalStateException.class, fd::fd);
        OwnedFd next = reference.exportFd(); // gets the same number
        fd.close();
        assertEquals(inode(next), reference.inode().getAsLong(), "a second close closed another file's descriptor");
        next.close();
        reference.close();
    }

    @Test
    void a_detached_descriptor_belongs_to_the_caller() {
        BufferReference reference = frame();
        reference.exportFd().close();
        OwnedFd fd = reference.exportFd();
        int number = fd.detach();
        assertThrows(IllegalStateException.class, fd::fd);
        assertThrows(IllegalStateException.class, fd::detach);
        fd.close();
        int another = reference.exportFd().detach();
        reference.close();
        assertEquals(0, broker.client.stop("its bundle has stopped"), "a descriptor that was taken back");
        for (int given : new int[] {number, another}) {
            assertTrue(Files.exists(Path.of("/proc/self/fd/" + given)));
            Syscalls.linux().close(given);
        }
    }

    @Test
    void an_exported_descriptor_outlives_its_buffer() {
        BufferReference reference = frame();
        try (Arena arena = Arena.ofConfined()) {
            reference.map(Access.WRITE, arena).set(ValueLayout.JAVA_BYTE, 5, (byte) 6);
            try (OwnedFd fd = reference.exportFd()) {
                reference.close();
                MemorySegment seen = new Mappings(Syscalls.linux()).map(fd, SIZE, Access.READ, arena);
                assertEquals(6, seen.get(ValueLayout.JAVA_BYTE, 5));
            }
        }
    }

    @Test
    void a_buffer_that_was_allocated_without_export_has_no_descriptor() {
        BufferReference reference = broker.allocate(
                AllocationRequest.of(SIZE).withExport(ExportMode.NONE).withName(NAME));
        assertEquals(
                Errno.ENOTSUP,
                assertThrows(HeapException.class, reference::exportFd).errno());
        assertEquals(OptionalLong.empty(), reference.inode());
        try (Arena arena = Arena.ofConfined()) {
            reference.map(Access.READ_WRITE, arena).fill((byte) 1);
        }
        reference.close();
    }

    @Test
    void a_read_only_descriptor_prevents_writes_by_holders_and_not_by_the_owner() throws IOException {
        BufferReference reference = broker.allocate(
                AllocationRequest.of(SIZE).withExport(ExportMode.READ_ONLY).withName(NAME));
        Mappings mmap = new Mappings(Syscalls.linux());
        try (Arena arena = Arena.ofConfined();
                OwnedFd fd = reference.exportFd()) {
            assertEquals(0, openFlags(fd) & 3, "O_RDONLY");
            assertEquals(inode(fd), reference.inode().getAsLong());
            assertEquals(
                    Errno.EACCES,
                    assertThrows(HeapException.class, () -> mmap.map(fd, SIZE, Access.READ_WRITE, arena))
                            .errno());
            MemorySegment seen = mmap.map(fd, SIZE, Access.READ, arena);
            reference.map(Access.READ_WRITE, arena).set(ValueLayout.JAVA_BYTE, 1, (byte) 8);
            assertEquals(8, seen.get(ValueLayout.JAVA_BYTE, 1));
            reference.close();
            assertEquals(8, seen.get(ValueLayout.JAVA_BYTE, 1));
        }
    }

    @Test
    void a_client_that_stops_keeps_its_mappings_until_their_arenas_end() {
        BufferReference reference = frame();
        OwnedFd exported = reference.exportFd();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = reference.map(Access.READ_WRITE, arena);
            assertEquals(2, broker.client.stop("its bundle has stopped"));
            assertThrows(IllegalStateException.class, reference::newReference);
            assertThrows(IllegalStateException.class, exported::fd);
            segment.fill((byte) 2);
            assertEquals(2, segment.get(ValueLayout.JAVA_BYTE, 0));
            assertEquals(1, mappings());
            assertEquals(1, broker.heaps().getFirst().charged().liveBuffers());
        }
        Await.until("the mapping is gone", () -> mappings() == 0);
    }

    @Test
    void a_buffer_works_after_its_heap_has_left() {
        BufferReference reference = frame();
        broker.remove(heap);
        try (Arena arena = Arena.ofConfined();
                OwnedFd fd = reference.exportFd()) {
            CpuAccess bracket = reference.beginCpuAccess(Access.WRITE);
            reference.map(Access.WRITE, arena).fill((byte) 3);
            bracket.close();
            assertTrue(fd.fd() >= 0);
        }
        assertThrows(HeapException.class, this::frame);
        reference.close();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void an_arena_that_ends_after_the_broker_has_stopped_still_unmaps(boolean automatic) {
        BufferReference reference = frame();
        if (automatic) {
            mapAndForget(reference);
            broker.close();
            Await.untilCollected("the mapping is gone", () -> mappings() == 0);
        } else {
            try (Arena arena = Arena.ofShared()) {
                MemorySegment segment = reference.map(Access.READ_WRITE, arena);
                broker.close();
                segment.fill((byte) 4);
                assertEquals(1, mappings());
            }
            Await.until("the mapping is gone", () -> mappings() == 0);
        }
    }

    /**
     * The same race as over a fake buffer, checked with the kernel's lists: every descriptor and mapping must be gone.
     */
    @Test
    void concurrent_use_and_close_leave_no_descriptor_and_no_mapping() {
        MemfdSource source = MemfdSource.open("counted", Syscalls.linux(), Headroom.machine());
        AtomicInteger released = new AtomicInteger();
        RegisteredHeap counted =
                broker.heap("counted", new FakeHeap(request -> counting(source.allocate(request), released)));
        class Round {
            final BufferReference reference = broker.allocate(
                    AllocationRequest.of(SIZE).withHeaps("counted").withName(NAME));
            final AtomicInteger uses = new AtomicInteger();

            /** Uses the reference until it is closed. */
            void again(Consumer<BufferReference> use) {
                try {
                    while (true) {
                        use.accept(reference);
                        uses.incrementAndGet();
                    }
                } catch (IllegalStateException closed) {
                    assertTrue(closed.getMessage().contains(NAME), closed.getMessage());
                }
            }
        }
        Round[] now = new Round[1];
        int rounds = 700;
        new Race()
                .before(round -> now[0] = new Round())
                .with(round -> {
                    Race.awaitSome(now[0].uses);
                    now[0].reference.close();
                })
                .with(round -> now[0].again(reference -> {
                    try (Arena arena = Arena.ofConfined()) {
                        reference.map(Access.READ_WRITE, arena).set(ValueLayout.JAVA_LONG, 0, round);
                    }
                }))
                .with(round -> now[0].again(reference -> {
                    try (DmaBuf duplicate = reference.newReference();
                            OwnedFd fd = duplicate.exportFd()) {
                        assertEquals(inode(fd), duplicate.inode().getAsLong());
                    }
                }))
                .after(round -> {
                    int wanted = round + 1;
                    Await.until("the memory is released", () -> released.get() == wanted);
                    Await.until("nothing is charged", () -> counted.account().buffers() == 0);
                })
                .run(rounds);
        assertEquals(rounds, released.get());
        assertEquals(0, counted.account().bytes());
        assertEquals(0, mappings());
    }

    private static HeapBuffer counting(HeapBuffer memory, AtomicInteger released) {
        return new HeapBuffer() {
            @Override
            public long size() {
                return memory.size();
            }

            @Override
            public int descriptor() {
                return memory.descriptor();
            }

            @Override
            public MemorySegment map(Access access) {
                return memory.map(access);
            }

            @Override
            public void unmap(MemorySegment mapping) {
                memory.unmap(mapping);
            }

            @Override
            public void release() {
                released.incrementAndGet();
                memory.release();
            }
        };
    }

    @Test
    void the_heaps_properties_are_those_of_its_source() {
        BufferReference reference = frame();
        Map<String, Object> properties = reference.heapProperties();
        assertEquals("memfd", properties.get("heap.backend"));
        assertEquals(false, properties.get("heap.dmabuf"));
        reference.close();
        assertEquals(
                List.of("system"), broker.heaps().stream().map(i -> i.name()).toList());
    }
}
