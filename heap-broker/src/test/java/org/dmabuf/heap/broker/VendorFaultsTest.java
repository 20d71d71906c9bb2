// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Tests of a heap's buffer whose code fails. The client's exception names the heap, and the client can still use and
 * close its resources.
 */
class VendorFaultsTest {
    private final BrokerParts broker = new BrokerParts();
    private Throwable failure;

    /** Memory whose calls fail as long as {@code failure} is set. */
    private final class Failing extends FakeMemory {
        Failing(long size) {
            super(size);
        }

        private void fail() {
            switch (failure) {
                case null -> {}
                case Error error -> throw error;
                default -> throw (RuntimeException) failure;
            }
        }

        @Override
        public MemorySegment map(Access access) {
            fail();
            return super.map(access);
        }

        @Override
        public void beginCpuAccess(Access access) {
            fail();
            super.beginCpuAccess(access);
        }

        @Override
        public void endCpuAccess(Access access) {
            super.endCpuAccess(access);
            fail();
        }

        @Override
        public int descriptor() {
            fail();
            return super.descriptor();
        }
    }

    @AfterEach
    void nothing_is_left() {
        HeapAccount account = broker.registry.routes().named("vendor").account();
        broker.close();
        assertEquals(0, account.buffers());
    }

    private BufferReference reference(FakeMemory memory) {
        broker.heap("vendor", new FakeHeap(request -> memory));
        return broker.allocate(AllocationRequest.of(4096).withName("frame"));
    }

    static Stream<Throwable> failures() {
        return Stream.of(
                new NoClassDefFoundError("org/example/Gone"),
                new StackOverflowError(),
                new InternalError("a fault in a page"),
                new AssertionError("never"),
                new IllegalStateException("torn"));
    }

    @ParameterizedTest
    @MethodSource("failures")
    void a_call_that_fails_names_the_heap_and_leaves_the_buffer_usable(Throwable thrown) {
        FakeMemory memory = new Failing(4096);
        BufferReference reference = reference(memory);
        var bracket = reference.beginCpuAccess(Access.WRITE);
        failure = thrown;
        RecordedLog.clear();
        try (Arena arena = Arena.ofConfined()) {
            assertReported("map", thrown, () -> reference.map(Access.READ, arena));
        }
        assertReported("beginCpuAccess", thrown, () -> reference.beginCpuAccess(Access.READ));
        assertReported("descriptor", thrown, reference::exportFd);
        assertReported("descriptor", thrown, reference::inode);
        assertReported("endCpuAccess", thrown, bracket::close);
        assertEquals(5, RecordedLog.lines().size(), () -> RecordedLog.lines().toString());
        failure = null;
        bracket.close(); // it has ended anyway
        assertEquals(1, memory.count("end WRITE"));
        reference.beginCpuAccess(Access.READ).close();
        try (Arena arena = Arena.ofConfined()) {
            reference.map(Access.READ_WRITE, arena).fill((byte) 1);
        }
        reference.close();
        Await.until("it is released", memory::released);
    }

    private static void assertReported(String call, Throwable thrown, Executable what) {
        HeapException refusal = assertThrows(HeapException.class, what);
        assertEquals(Errno.EIO, refusal.errno());
        assertEquals(Optional.of("vendor"), refusal.heap());
        assertSame(thrown, refusal.getCause());
        assertEquals(
                "heap 'vendor': buffer 'frame' of 4 KiB: the heap's code failed in " + call + " with " + thrown
                        + "; report that to its vendor",
                refusal.getMessage());
    }

    @Test
    void an_out_of_memory_error_is_passed_on_unchanged() {
        BufferReference reference = reference(new Failing(4096));
        failure = new OutOfMemoryError("made up");
        assertSame(failure, assertThrows(OutOfMemoryError.class, () -> reference.beginCpuAccess(Access.READ)));
        assertSame(failure, assertThrows(OutOfMemoryError.class, reference::exportFd));
        try (Arena arena = Arena.ofConfined()) {
            assertSame(failure, assertThrows(OutOfMemoryError.class, () -> reference.map(Access.READ, arena)));
        }
    }

    @Test
    void a_mapping_without_the_requested_alignment_is_unmapped_and_reported() {
        FakeMemory memory = new FakeMemory(4096) {
            private final MemorySegment odd =
                    Arena.ofAuto().allocate(8192, 4096).asSlice(64, 4096);

            @Override
            public MemorySegment map(Access access) {
                super.map(access);
                return odd;
            }
        };
        broker.heap("vendor", new FakeHeap(request -> memory));
        BufferReference reference = broker.allocate(AllocationRequest.of(4096).withAlignment(4096));
        try (Arena arena = Arena.ofConfined()) {
            HeapException refusal = assertThrows(HeapException.class, () -> reference.map(Access.READ, arena));
            assertEquals(Errno.EIO, refusal.errno());
            assertTrue(
                    refusal.getMessage().endsWith("040, which is not aligned to 4 KiB; report that to its vendor"),
                    refusal.getMessage());
        }
        assertEquals(List.of("map READ", "unmap"), memory.calls());
        BufferReference careless = broker.allocate(AllocationRequest.of(4096).withAlignment(64));
        try (Arena arena = Arena.ofConfined()) {
            assertEquals(4096, careless.map(Access.READ, arena).byteSize());
        }
    }

    @Test
    void a_mapping_in_the_java_heap_is_rejected() {
        BufferReference reference = reference(new FakeMemory(4096) {
            @Override
            public MemorySegment map(Access access) {
                return MemorySegment.ofArray(new byte[4096]);
            }
        });
        try (Arena arena = Arena.ofConfined()) {
            assertEquals(
                    Errno.EIO,
                    assertThrows(HeapException.class, () -> reference.map(Access.READ, arena))
                            .errno());
        }
    }

    @Test
    void a_null_access_is_refused_before_the_heap_is_called() {
        FakeMemory memory = new FakeMemory(4096);
        BufferReference reference = reference(memory);
        try (Arena arena = Arena.ofConfined()) {
            assertThrows(NullPointerException.class, () -> reference.map(null, arena));
        }
        assertThrows(NullPointerException.class, () -> reference.beginCpuAccess(null));
        assertEquals(List.of(), memory.calls());
    }
}
