// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.machine.MlockLimit;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.secret.MadeUpSecrets;
import org.dmabuf.heap.linux.source.HeldFiles;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.syscall.Wrapping;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of an interrupt during the allocation of a large buffer, whose memory is allocated in pieces. */
class InterruptedAllocationTest {
    private static final long MIB = 1 << 20;
    private static final long SIZE = 192 * MIB;
    /** Calls for a large folio are not those of a piece. */
    private static final long LARGEST_FOLIO = 32 * MIB;

    private static final RegionLayout LAYOUT = RegionLayout.of(SIZE, "size").withExports(RegionLayout.Exports.MEMFD);

    /** Ordinary memfds instead of secret ones, of which a user may have only a few MiB. */
    private static final Wrapping ORDINARY = new Wrapping() {
        @Override
        public <C> C wrap(Class<C> type, C calls) {
            return type.cast(Proxy.newProxyInstance(
                    type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                        method.setAccessible(true); // the interface is package-private
                        return method.getName().equals("memfdSecret")
                                ? (Object) Syscalls.linux().memfdCreate("secret", 1)
                                : method.invoke(calls, arguments);
                    }));
        }
    };

    /** Sources, each with the call by which it allocates the memory of a buffer. */
    enum Source {
        MEMFD(ExportMode.READ_WRITE, "fallocate", test -> MemfdSource.open("camera", test.syscalls, test.headroom)),
        TOUCHED_MEMFD(
                ExportMode.READ_ONLY, "madvise", test -> MemfdSource.open("camera", test.syscalls, test.headroom)),
        POOL(
                ExportMode.NONE,
                "madvise",
                test -> PooledSource.over(
                        MemfdSource.open("camera", test.syscalls, test.headroom),
                        "camera",
                        test.syscalls,
                        test.headroom,
                        PoolBudget.none().withRecycled(MIB))),
        CMA(
                ExportMode.NONE,
                "madvise",
                test -> EmulatedCmaSource.open("camera", LAYOUT.withAlignmentCap(MIB), test.syscalls, test.headroom)),
        REGION(ExportMode.NONE, "madvise", test -> {
            MemorySource region = RegionSource.open("camera", LAYOUT, test.syscalls, test.headroom);
            region.allocate(HeapRequest.of(SIZE)).release(); // leaves the range without memory
            return region;
        }),
        SECRET(
                ExportMode.READ_WRITE,
                "read",
                test -> new MadeUpSecrets(ORDINARY)
                        .open("camera", test.syscalls, test.headroom, new MlockLimit(1L << 40)));

        private final ExportMode mode;
        private final String call;
        private final Function<InterruptedAllocationTest, MemorySource> opening;

        Source(ExportMode mode, String call, Function<InterruptedAllocationTest, MemorySource> opening) {
            this.mode = mode;
            this.call = call;
            this.opening = opening;
        }

        HeapRequest request() {
            return HeapRequest.of(SIZE).withExport(mode);
        }
    }

    private final Thread allocating = Thread.currentThread();
    private final Headroom headroom = MadeUpHeadroom.of(() -> 1L << 40, System::nanoTime);
    private final List<Long> pieces = new ArrayList<>();
    private String listed = "";
    private boolean interrupting;
    private int signals;

    private final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                String call = method.getName();
                if (call.equals("madvise") && Thread.currentThread() != allocating) {
                    return -Errno.ENOMEM.number(); // so that no background thread backs the range first
                }
                if (call.equals(listed)) {
                    if (signals-- > 0) {
                        return -Errno.EINTR.number();
                    }
                    long length = (long) arguments[call.equals("fallocate") ? 3 : call.equals("read") ? 2 : 1];
                    if (length > LARGEST_FOLIO) {
                        pieces.add(length);
                        if (interrupting) {
                            allocating.interrupt();
                        }
                    }
                }
                try {
                    return method.invoke(Syscalls.linux(), arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });

    @AfterEach
    void the_flag_is_of_this_test() {
        Thread.interrupted();
    }

    @ParameterizedTest
    @EnumSource
    void an_interrupt_ends_the_allocation_between_two_pieces_and_leaves_nothing(Source kind) {
        HeldFiles atFirst = new HeldFiles();
        try (MemorySource source = kind.opening.apply(this)) {
            HeldFiles before = new HeldFiles();
            long held = MadeUpHeadroom.held(headroom);
            listed = kind.call;
            interrupting = true;
            HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(kind.request()));
            assertTrue(Thread.interrupted(), "the flag was cleared");
            assertEquals(Errno.EINTR, refusal.errno());
            assertEquals("heap 'camera': interrupted after 64 MiB of 192 MiB; nothing is held", refusal.getMessage());
            assertEquals(List.of(64 * MIB), pieces);
            before.assertNothingLeft();
            assertEquals(held, MadeUpHeadroom.held(headroom));

            interrupting = false;
            pieces.clear();
            source.allocate(kind.request()).release();
            assertEquals(List.of(64 * MIB, 64 * MIB, 64 * MIB), pieces);
        }
        atFirst.assertNothingLeft();
    }

    @Test
    void an_earlier_interrupt_does_not_prevent_the_allocation_of_one_piece() {
        try (MemfdSource source = MemfdSource.open("camera", syscalls, headroom)) {
            Thread.currentThread().interrupt();
            source.allocate(HeapRequest.of(64 * MIB)).release();
            assertTrue(Thread.interrupted());
        }
    }

    @Test
    void a_call_that_a_signal_interrupts_is_repeated() {
        try (MemfdSource source = MemfdSource.open("camera", syscalls, headroom)) {
            listed = "fallocate";
            signals = 3;
            source.allocate(HeapRequest.of(SIZE)).release();
            assertEquals(List.of(64 * MIB, 64 * MIB, 64 * MIB), pieces);
        }
    }

    @Test
    void an_interrupted_thread_can_map_a_large_buffer() {
        try (MemfdSource source = MemfdSource.open("camera", syscalls, headroom)) {
            HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
            Thread.currentThread().interrupt();
            buffer.unmap(buffer.map(Access.READ_WRITE));
            assertTrue(Thread.interrupted());
            buffer.release();
        }
    }
}
