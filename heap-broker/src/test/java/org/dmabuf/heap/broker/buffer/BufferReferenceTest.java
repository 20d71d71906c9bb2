// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.ReferenceQueue;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.broker.RecordedBrokerEvents;
import org.dmabuf.heap.broker.UsageSums;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.ReturnSignal;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.release.Piece;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Tests of references, CPU accesses and mappings over a buffer that only records its calls. */
class BufferReferenceTest {
    private static final long SIZE = 8192;

    private final BrokerParts broker = new BrokerParts();

    @AfterEach
    void stop() {
        broker.close();
    }

    private BufferReference leaseOf(FakeMemory memory) {
        String heap = "camera" + memory.hashCode();
        broker.heap(heap, new FakeHeap(request -> memory));
        return broker.allocate(
                AllocationRequest.of(memory.size()).withHeaps(heap).withName("frame"));
    }

    private HeapAccount account(BufferReference reference) {
        return broker.registry.routes().named(reference.heapName()).account();
    }

    @Test
    void a_closed_reference_still_returns_its_values() {
        broker.heap("camera", new FakeHeap(), Map.of(HeapProperties.TYPE, "carveout"));
        BufferReference reference = broker.allocate(AllocationRequest.of(SIZE).withName("frame 7"));
        for (int again = 0; again < 2; again++) {
            assertEquals(SIZE, reference.size());
            assertEquals("camera", reference.heapName());
            assertEquals(Optional.of("frame 7"), reference.name());
            assertEquals(Map.of("heap.name", "camera", "heap.type", "carveout"), reference.heapProperties());
            reference.close();
        }
    }

    @Test
    void a_buffer_without_a_name_has_an_empty_one() {
        broker.heap("camera", new FakeHeap());
        BufferReference reference = broker.allocate(SIZE);
        assertEquals(Optional.empty(), reference.name());
        assertEquals("buffer of 8 KiB from heap 'camera'", reference.toString());
    }

    @Test
    void the_size_is_that_of_the_heaps_buffer_and_not_the_requested_one() {
        broker.heap("camera", new FakeHeap(request -> new FakeMemory(SIZE)));
        BufferReference reference = broker.allocate(1);
        assertEquals(SIZE, reference.size());
        assertEquals(SIZE, account(reference).bytes());
    }

    @Test
    void a_change_of_properties_does_not_affect_existing_buffers() {
        RegisteredHeap heap = broker.heap("camera", new FakeHeap(), Map.of(HeapProperties.TYPE, "old"));
        BufferReference reference = broker.allocate(SIZE);
        broker.registry.changed(heap.service(), () -> Map.of(HeapProperties.NAME, "front", HeapProperties.TYPE, "new"));
        assertEquals("camera", reference.heapName());
        assertEquals("old", reference.heapProperties().get(HeapProperties.TYPE));
    }

    @Test
    void closing_twice_releases_once() {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        assertEquals(1, account(reference).buffers());
        reference.close();
        reference.close();
        assertEquals(List.of("release"), memory.calls());
        assertEquals(0, account(reference).buffers());
        assertEquals(0, account(reference).bytes());
    }

    @Test
    void a_duplicate_keeps_the_memory_and_is_not_charged_again() {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        DmaBuf duplicate = reference.newReference();
        DmaBuf third = duplicate.newReference();
        assertNotSame(reference, duplicate);
        assertEquals(1, account(reference).buffers());
        assertEquals(SIZE, account(reference).bytes());
        reference.close();
        reference.close(); // does not affect the others
        duplicate.close();
        assertEquals(List.of(), memory.calls());
        assertEquals(Optional.of("frame"), third.name());
        third.beginCpuAccess(Access.READ).close();
        third.close();
        assertTrue(memory.released());
        assertEquals(0, account(reference).buffers());
    }

    @Test
    void a_buffer_without_a_reference_is_released_and_not_charged() {
        FakeHeap exporter = new FakeHeap();
        RegisteredHeap heap = broker.heap("camera", exporter);
        Client broken = new Client(broker.ledger.enter(BrokerParts.bundle("org.example.broken")), null);
        assertThrows(NullPointerException.class, () -> broker.allocator.allocate(broken, AllocationRequest.of(SIZE)));
        assertTrue(exporter.memory().released());
        assertEquals(0, heap.account().buffers());
    }

    static Stream<Arguments> uses() {
        return Stream.of(
                arguments("map", (Consumer<DmaBuf>) buffer -> buffer.map(Access.READ, Arena.ofAuto())),
                arguments("beginCpuAccess", (Consumer<DmaBuf>) buffer -> buffer.beginCpuAccess(Access.READ)),
                arguments("exportFd", (Consumer<DmaBuf>) DmaBuf::exportFd),
                arguments("newReference", (Consumer<DmaBuf>) DmaBuf::newReference),
                arguments("inode", (Consumer<DmaBuf>) DmaBuf::inode));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("uses")
    void a_closed_reference_refuses_and_names_the_buffer(String name, Consumer<DmaBuf> use) {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        reference.close();
        IllegalStateException refusal = assertThrows(IllegalStateException.class, () -> use.accept(reference));
        String which = "buffer 'frame' of 8 KiB from heap '" + reference.heapName() + "'";
        assertEquals("this reference to a " + which + " is closed", refusal.getMessage());
        assertEquals("closed reference to a " + which, reference.toString());
        assertEquals(List.of("release"), memory.calls());
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("uses")
    void a_closed_reference_refuses_even_while_a_duplicate_is_open(String name, Consumer<DmaBuf> use) {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        DmaBuf duplicate = reference.newReference();
        reference.close();
        assertThrows(IllegalStateException.class, () -> use.accept(reference));
        assertEquals(List.of(), memory.calls());
        duplicate.close();
        assertTrue(memory.released());
    }

    @ParameterizedTest
    @EnumSource(Access.class)
    void a_cpu_access_begins_and_ends_in_one_direction(Access access) {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        CpuAccess bracket = reference.beginCpuAccess(access);
        assertEquals(List.of("begin " + access), memory.calls());
        bracket.close();
        assertEquals(List.of("begin " + access, "end " + access), memory.calls());
    }

    @Test
    void each_nested_cpu_access_reaches_the_heap() {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        CpuAccess outer = reference.beginCpuAccess(Access.READ_WRITE);
        CpuAccess inner = reference.beginCpuAccess(Access.READ);
        outer.close(); // overlapping, too
        inner.close();
        assertEquals(List.of("begin READ_WRITE", "begin READ", "end READ_WRITE", "end READ"), memory.calls());
    }

    @Test
    void a_cpu_access_closed_twice_ends_once() {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        CpuAccess bracket = reference.beginCpuAccess(Access.WRITE);
        bracket.close();
        bracket.close();
        assertEquals(1, memory.count("end WRITE"));
        reference.close();
        assertTrue(memory.released());
        assertEquals(0, account(reference).buffers());
    }

    @Test
    void memory_is_released_only_after_the_end_of_its_last_cpu_access() {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        CpuAccess bracket = reference.beginCpuAccess(Access.WRITE);
        reference.close();
        assertEquals(List.of("begin WRITE"), memory.calls());
        assertEquals(1, account(reference).buffers());
        bracket.close();
        assertEquals(List.of("begin WRITE", "end WRITE", "release"), memory.calls());
        assertEquals(0, account(reference).buffers());
    }

    @Test
    void a_begin_that_the_heap_refuses_leaves_no_cpu_access() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public void beginCpuAccess(Access access) {
                throw HeapException.of(Errno.ETIMEDOUT, "camera", "the device hangs");
            }
        };
        BufferReference reference = leaseOf(memory);
        HeapException refusal = assertThrows(HeapException.class, () -> reference.beginCpuAccess(Access.READ));
        assertEquals(Errno.ETIMEDOUT, refusal.errno());
        reference.close();
        assertEquals(List.of("release"), memory.calls());
    }

    @Test
    void an_end_that_the_heap_refuses_is_thrown_once_and_the_cpu_access_ends() {
        AtomicInteger ends = new AtomicInteger();
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public void endCpuAccess(Access access) {
                ends.incrementAndGet();
                throw HeapException.of(Errno.EINVAL, "camera", "no");
            }
        };
        BufferReference reference = leaseOf(memory);
        CpuAccess bracket = reference.beginCpuAccess(Access.READ);
        assertThrows(HeapException.class, bracket::close);
        assertDoesNotThrow(bracket::close);
        assertEquals(1, ends.get());
        reference.close();
        assertTrue(memory.released());
        assertEquals(0, account(reference).buffers());
    }

    @Test
    void the_text_of_a_cpu_access_names_direction_and_buffer() {
        BufferReference reference = leaseOf(new FakeMemory(SIZE));
        assertEquals(
                "CPU access for READ to a buffer 'frame' of 8 KiB from heap '" + reference.heapName() + "'",
                reference.beginCpuAccess(Access.READ).toString());
    }

    @Test
    void a_release_that_throws_is_reported_and_uncharged() {
        for (Throwable thrown :
                List.of(new IllegalStateException("torn"), new NoClassDefFoundError("org/example/Gone"))) {
            FakeMemory memory = new FakeMemory(SIZE) {
                @Override
                public void release() {
                    super.release();
                    sneak(thrown);
                }
            };
            BufferReference reference = leaseOf(memory);
            RecordedLog.clear();
            reference.close();
            assertEquals(
                    List.of("ERROR buffer 'frame' of 8 KiB from heap '" + reference.heapName()
                            + "': release failed, its memory may be lost <" + thrown + ">"),
                    RecordedLog.lines());
            assertEquals(0, account(reference).buffers());
            assertEquals(0, account(reference).bytes());
            reference.close();
            assertEquals(1, memory.count("release"));
        }
    }

    private static void sneak(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        throw (RuntimeException) thrown;
    }

    @Test
    void a_mapping_holds_the_memory_until_its_arena_has_ended() {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = reference.map(Access.WRITE, arena);
            assertEquals(SIZE, segment.byteSize());
            assertFalse(segment.isReadOnly());
            reference.close();
            assertEquals(List.of("map WRITE"), memory.calls());
            assertEquals(1, account(reference).buffers());
        }
        Await.until("the mapping is undone", memory::released);
        assertEquals(List.of("map WRITE", "unmap", "release"), memory.calls());
        Await.until("it is uncharged", () -> account(reference).buffers() == 0);
    }

    @Test
    void each_mapping_is_undone_once_with_the_segment_that_the_heap_returned() {
        MemorySegment[] mapped = new MemorySegment[1];
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public MemorySegment map(Access access) {
                return mapped[0] = super.map(access);
            }

            @Override
            public void unmap(MemorySegment mapping) {
                note(mapping == mapped[0] ? "unmap the same" : "unmap another");
            }
        };
        BufferReference reference = leaseOf(memory);
        try (Arena arena = Arena.ofShared()) {
            reference.map(Access.READ, arena);
            reference.map(Access.READ, arena);
        }
        reference.close();
        Await.until("all is undone", memory::released);
        assertEquals(2, memory.count("unmap the same"));
        assertEquals(5, memory.calls().size());
    }

    @Test
    void a_mapping_of_another_size_is_rejected() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public MemorySegment map(Access access) {
                return super.map(access).asSlice(0, 4096);
            }
        };
        BufferReference reference = leaseOf(memory);
        try (Arena arena = Arena.ofConfined()) {
            HeapException refusal = assertThrows(HeapException.class, () -> reference.map(Access.READ, arena));
            assertEquals(Errno.EIO, refusal.errno());
            assertEquals(Optional.of(reference.heapName()), refusal.heap());
            assertEquals(
                    "buffer 'frame' of 8 KiB: the heap mapped 4096 bytes of it; report that to its vendor",
                    refusal.reason());
        }
        assertEquals(List.of("map READ", "unmap"), memory.calls());
        reference.close();
        assertTrue(memory.released());
    }

    @Test
    void a_missing_mapping_is_rejected() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public MemorySegment map(Access access) {
                return null;
            }
        };
        BufferReference reference = leaseOf(memory);
        HeapException refusal = assertThrows(HeapException.class, () -> reference.map(Access.READ, Arena.ofAuto()));
        assertEquals(Errno.EIO, refusal.errno());
        reference.close();
        assertEquals(List.of("release"), memory.calls());
    }

    @Test
    void a_mapping_that_the_heap_refuses_leaves_nothing() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public MemorySegment map(Access access) {
                note("refuses");
                throw HeapException.of(Errno.EINVAL, "camera", "protected memory is not mapped");
            }
        };
        BufferReference reference = leaseOf(memory);
        HeapException refusal = assertThrows(HeapException.class, () -> reference.map(Access.READ, Arena.ofAuto()));
        assertEquals("protected memory is not mapped", refusal.reason());
        reference.close();
        assertEquals(List.of("refuses", "release"), memory.calls());
    }

    @Test
    void a_failed_unmap_is_reported_and_the_memory_is_released() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public void unmap(MemorySegment mapping) {
                super.unmap(mapping);
                throw new NoClassDefFoundError("org/example/Gone");
            }
        };
        BufferReference reference = leaseOf(memory);
        RecordedLog.clear();
        try (Arena arena = Arena.ofConfined()) {
            reference.map(Access.READ, arena);
        }
        reference.close();
        Await.until("it is uncharged", () -> account(reference).buffers() == 0);
        assertEquals(List.of("map READ", "unmap", "release"), memory.calls());
        assertEquals(
                List.of("ERROR " + reference.toString().replace("closed reference to a ", "")
                        + ": unmap failed, the mapping may be lost <java.lang.NoClassDefFoundError: org/example/Gone>"),
                RecordedLog.lines());
        FakeMemory next = new FakeMemory(SIZE); // the reaper's thread is alive
        BufferReference another = leaseOf(next);
        try (Arena arena = Arena.ofConfined()) {
            another.map(Access.READ, arena);
        }
        Await.until("the next is unmapped", () -> next.count("unmap") == 1);
    }

    @Test
    void at_the_mapping_limit_a_caller_waits_for_the_reaper_and_tries_once_more() {
        CountDownLatch refused = new CountDownLatch(1);
        Reaper busy = new Reaper("camera");
        busy.submit(Piece.of(
                () -> { // the mappings of closed arenas stay until then
                    try {
                        refused.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                }));
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public MemorySegment map(Access access) {
                MemorySegment mapping = super.map(access);
                if (count("map READ") == 2 && count("unmap") == 0) {
                    refused.countDown();
                    throw HeapException.of(Errno.ENOMEM, "camera", "raise vm.max_map_count");
                }
                return mapping;
            }
        };
        SharedBuffer buffer = bufferOf(memory, busy);
        try (Arena arena = Arena.ofConfined()) {
            BufferMapping.map(buffer, Access.READ, arena);
        }
        assertEquals(0, memory.count("unmap"));
        MemorySegment segment = BufferMapping.map(buffer, Access.READ, Arena.ofAuto());
        assertEquals(SIZE, segment.byteSize());
        assertEquals(List.of("map READ", "map READ", "unmap", "map READ"), memory.calls());
        busy.stop();
    }

    @Test
    void a_second_failure_at_the_mapping_limit_is_reported() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public MemorySegment map(Access access) {
                super.map(access);
                throw HeapException.of(Errno.ENOMEM, "camera", "raise vm.max_map_count");
            }
        };
        BufferReference reference = leaseOf(memory);
        HeapException refusal = assertThrows(HeapException.class, () -> reference.map(Access.READ, Arena.ofAuto()));
        assertEquals("raise vm.max_map_count", refusal.reason());
        assertEquals(List.of("map READ", "map READ"), memory.calls());
        reference.close();
        assertTrue(memory.released());
    }

    @Test
    void any_other_failure_of_a_mapping_is_not_tried_again() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public MemorySegment map(Access access) {
                super.map(access);
                throw HeapException.of(Errno.EINVAL, "camera", "no");
            }
        };
        BufferReference reference = leaseOf(memory);
        assertThrows(HeapException.class, () -> reference.map(Access.READ, Arena.ofAuto()));
        assertEquals(List.of("map READ"), memory.calls());
    }

    @Test
    void a_caller_that_maps_helps_the_reaper_first() {
        Reaper idle = new Reaper("camera", Duration.ofSeconds(2), 0);
        AtomicInteger done = new AtomicInteger();
        for (int i = 0; i < 300; i++) {
            idle.submit(Piece.of(done::incrementAndGet));
        }
        BufferMapping.map(bufferOf(new FakeMemory(SIZE), idle), Access.READ, Arena.ofAuto());
        assertEquals(2, done.get());
    }

    private static SharedBuffer bufferOf(FakeMemory memory, Reaper reaper) {
        Charge charge = new Charge(
                UsageSums.share(new HeapAccount("camera", () -> reaper)), "", 0, List.of(), new ReturnSignal());
        SharedBuffer buffer = new SharedBuffer(
                memory,
                SIZE,
                1,
                HeapDescription.refused("camera", Map.of(), "org.example.camera"),
                charge,
                ExportMode.READ_WRITE,
                Optional.of("frame"),
                new BufferServices(null, Optional.empty(), null, new RecordedBrokerEvents(), new ReferenceQueue<>()));
        assertEquals(Optional.empty(), charge.begin(buffer));
        return buffer;
    }

    @Test
    void a_buffer_that_is_released_cannot_be_held_or_mapped_again() {
        FakeMemory memory = new FakeMemory(SIZE);
        SharedBuffer buffer = bufferOf(memory, new Reaper("camera"));
        assertTrue(buffer.hold());
        buffer.drop();
        buffer.drop();
        assertFalse(buffer.hold());
        assertEquals(null, BufferMapping.map(buffer, Access.READ, Arena.ofAuto()));
        assertEquals(List.of("release"), memory.calls());
    }

    @Test
    void without_a_descriptor_there_is_no_export_and_no_inode() {
        FakeMemory memory = new FakeMemory(SIZE);
        broker.heap("camera", new FakeHeap(request -> memory));
        BufferReference reference = broker.allocate(
                AllocationRequest.of(SIZE).withExport(ExportMode.NONE).withName("frame"));
        HeapException refusal = assertThrows(HeapException.class, reference::exportFd);
        assertEquals(Errno.ENOTSUP, refusal.errno());
        assertEquals(Optional.of("camera"), refusal.heap());
        assertEquals(
                "heap 'camera': buffer 'frame' of 8 KiB was allocated with ExportMode.NONE and has no"
                        + " descriptor to give; allocate it with READ_ONLY or READ_WRITE",
                refusal.getMessage());
        assertEquals(OptionalLong.empty(), reference.inode());
        assertEquals(List.of(), memory.calls());
        reference.close();
        assertTrue(memory.released());
    }

    @Test
    void a_failed_descriptor_call_leaves_the_buffer_unchanged() {
        FakeMemory memory = new FakeMemory(SIZE);
        BufferReference reference = leaseOf(memory);
        assertThrows(HeapException.class, reference::exportFd);
        assertThrows(HeapException.class, reference::inode);
        reference.close();
        assertEquals(List.of("descriptor", "descriptor", "release"), memory.calls());
        assertEquals(0, account(reference).buffers());
    }

    @Test
    void a_closed_resource_is_no_longer_listed_for_the_client() {
        BufferReference reference = leaseOf(new FakeMemory(SIZE));
        reference.newReference().close();
        CpuAccess bracket = reference.beginCpuAccess(Access.READ);
        reference.close();
        bracket.close();
        assertEquals(0, broker.client.stop("its bundle has stopped"));
    }

    @Test
    void concurrent_closes_drop_one_hold_and_end_one_cpu_access() {
        int many = 50; // closed one after the other, so that threads that close the same ones meet repeatedly
        class Round {
            final FakeMemory memory = new FakeMemory(64);
            final Client client = UsageSums.client("org.example.camera");
            final BufferReference kept = BufferReference.open(client, bufferOf(memory, new Reaper("camera")));
            final List<DmaBuf> references =
                    Stream.generate(kept::newReference).limit(many).toList();
            final List<CpuAccess> brackets = Stream.generate(() -> kept.beginCpuAccess(Access.WRITE))
                    .limit(many)
                    .toList();
        }
        Round[] now = new Round[1];
        Race.Part closes = round -> {
            now[0].references.forEach(DmaBuf::close);
            now[0].brackets.forEach(CpuAccess::close);
        };
        new Race()
                .before(round -> now[0] = new Round())
                .with(closes)
                .with(closes)
                .after(round -> {
                    assertEquals(many, now[0].memory.count("end WRITE"));
                    assertEquals(0, now[0].memory.count("release"));
                    now[0].kept.close();
                    assertTrue(now[0].memory.released());
                })
                .run(1000);
    }

    /** Every operation on a buffer, concurrently and repeatedly; the last one to end releases the memory. */
    @Test
    void concurrent_close_map_duplicate_and_export_release_once() {
        class Round {
            final AtomicInteger uses = new AtomicInteger();
            final FakeMemory memory = new FakeMemory(64) {
                @Override
                public int descriptor() {
                    assertEquals(0, count("release"), "a descriptor after the release");
                    throw HeapException.of(Errno.EMFILE, "camera", "none left");
                }
            };
            BufferReference reference;

            /** Uses the reference until it is closed. */
            void again(Consumer<BufferReference> use) {
                try {
                    while (true) {
                        use.accept(reference);
                        uses.incrementAndGet();
                    }
                } catch (IllegalStateException closed) {
                    assertTrue(closed.getMessage().startsWith("this reference to a buffer"), closed.getMessage());
                }
            }
        }
        Round[] now = new Round[1];
        HeapAccount account =
                broker.heap("camera", new FakeHeap(request -> now[0].memory)).account();
        new Race()
                .before(round -> {
                    now[0] = new Round();
                    now[0].reference = broker.allocate(64);
                })
                .with(round -> {
                    Race.awaitSome(now[0].uses);
                    now[0].reference.close();
                })
                .with(round -> now[0].again(reference -> {
                    try (Arena arena = Arena.ofConfined()) {
                        reference.map(Access.READ, arena);
                    }
                }))
                .with(round -> now[0].again(reference -> {
                    try (DmaBuf duplicate = reference.newReference()) {
                        duplicate.beginCpuAccess(Access.WRITE).close();
                    }
                }))
                .with(round -> now[0].again(BufferReferenceTest::refusesToExport))
                .after(round -> {
                    FakeMemory memory = now[0].memory;
                    Await.until("the memory is released", memory::released);
                    assertEquals(1, memory.count("release"));
                    assertEquals(memory.count("map READ"), memory.count("unmap"));
                    assertEquals(memory.count("begin WRITE"), memory.count("end WRITE"));
                    Await.until("it is uncharged", () -> account.buffers() == 0 && account.bytes() == 0);
                })
                .run(1500);
    }

    private static void refusesToExport(BufferReference reference) {
        try (OwnedFd fd = reference.exportFd()) {
            throw new AssertionError("exported " + fd);
        } catch (HeapException refusal) {
            assertEquals(Errno.EMFILE, refusal.errno());
        }
    }
}
