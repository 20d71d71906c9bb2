// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.daemon.FailingLog;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RegionScrubberTest {
    private static final long SIZE = 1 << 20;
    private static final long HALF = SIZE / 2;
    private static final RegionLayout LAYOUT = RegionLayout.of(SIZE, "size").withExports(RegionLayout.Exports.MEMFD);

    /** Result of madvise; null lets the kernel answer. */
    private final AtomicReference<Supplier<Integer>> madvise = new AtomicReference<>(() -> null);

    private final AtomicBoolean punches = new AtomicBoolean(true);
    private final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                Integer answer = switch (method.getName()) {
                    case "madvise" -> madvise.get().get();
                    case "fallocate" -> punches.get() ? null : (Integer) (-Errno.EIO.number());
                    default -> null;
                };
                if (answer != null) {
                    return answer;
                }
                try {
                    return method.invoke(Syscalls.linux(), arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });

    private final RegionMemory memory =
            RegionMemory.reserve("camera", LAYOUT, syscalls, Headroom.machine(), HugePages.ofTheMachine());
    private final RegionAllocator blocks = new RegionAllocator("camera", SIZE, Bytes.PAGE);
    private final RegionLifetime lifetime = new RegionLifetime(memory::close);
    private final Set<Long> lent = new HashSet<>();
    private final RegionScrubber scrubber = new RegionScrubber("camera", lifetime, blocks, memory, lent);

    @AfterEach
    void end() {
        scrubber.end();
        lifetime.leave();
    }

    private long free() {
        return blocks.figures(1).free();
    }

    private long used() {
        long offset = blocks.allocate(HALF, 1);
        memory.slice(offset, HALF).fill((byte) 0xff);
        return offset;
    }

    /** Leaves a block like a buffer that had separate memory. */
    private long unbacked() {
        long offset = blocks.allocate(HALF, 1);
        assertEquals(0, memory.unback(offset, HALF));
        return offset;
    }

    private void backLater(long offset) {
        blocks.retire(offset);
        scrubber.backLater(offset);
    }

    private void assertZero(long offset) {
        MemorySegment range = memory.slice(offset, HALF);
        for (long at = 0; at < HALF; at += Long.BYTES) {
            assertEquals(0, range.get(ValueLayout.JAVA_LONG, at));
        }
    }

    @Test
    void the_thread_zeroes_used_blocks_before_they_are_free() {
        scrubber.start();
        long one = used();
        long two = used();
        blocks.discard(one);
        scrubber.wake();
        await(() -> free() == HALF);
        assertZero(one);
        assertEquals((byte) 0xff, memory.slice(two, HALF).get(ValueLayout.JAVA_BYTE, 0));
    }

    @Test
    void an_interrupt_ends_the_zeroing_of_a_large_block_which_is_zeroed_later() {
        long large = 192L << 20;
        RegionLayout layout = RegionLayout.of(large, "size").withExports(RegionLayout.Exports.MEMFD);
        RegionMemory region =
                RegionMemory.reserve("camera", layout, syscalls, Headroom.machine(), HugePages.ofTheMachine());
        RegionAllocator only = new RegionAllocator("camera", large, Bytes.PAGE);
        RegionScrubber interrupted =
                new RegionScrubber("camera", new RegionLifetime(region::close), only, region, new HashSet<>());
        long offset = only.allocate(large, 1);
        only.discard(offset);
        Thread.currentThread().interrupt();
        HeapException refusal =
                assertThrows(HeapException.class, () -> interrupted.drainFor(() -> only.allocate(large, 1)));
        assertTrue(Thread.interrupted());
        assertEquals(Errno.EINTR, refusal.errno());
        assertEquals(large, only.figures(1).dirty());
        assertEquals(offset, interrupted.drainFor(() -> only.allocate(large, 1)));
        region.close();
    }

    @Test
    void an_allocation_zeroes_itself_and_backs_no_more_than_it_needs() {
        long dirty = used();
        blocks.discard(dirty);
        backLater(unbacked());
        assertEquals(dirty, scrubber.drainFor(() -> blocks.allocate(HALF, 1)));
        assertZero(dirty);
        assertEquals(HALF, blocks.figures(1).dirty());
    }

    @Test
    void the_range_without_pages_for_the_longest_time_is_backed_first() {
        long one = unbacked();
        long two = unbacked();
        backLater(two);
        backLater(one);
        assertEquals(two, scrubber.drainFor(() -> blocks.allocate(HALF, 1)));
        assertEquals(one, scrubber.drainFor(() -> blocks.allocate(HALF, 1)));
        assertEquals(-1, scrubber.drainFor(() -> blocks.allocate(HALF, 1)));
    }

    @Test
    void the_thread_backs_ranges_that_no_buffer_took_meanwhile() {
        long taken = unbacked();
        long left = unbacked();
        backLater(taken);
        backLater(left);
        assertEquals(left, scrubber.takeUnbacked(HALF)); // the latest one
        blocks.reuse(left);
        assertEquals(-1, scrubber.takeUnbacked(SIZE));
        scrubber.start();
        await(() -> free() == HALF);
    }

    @Test
    void a_range_without_memory_is_not_allocated_until_the_machine_has_memory() {
        backLater(unbacked());
        used();
        madvise.set(() -> -Errno.ENOMEM.number());
        assertEquals(-1, scrubber.drainFor(() -> blocks.allocate(HALF, 1)));
        assertEquals(HALF, blocks.figures(1).dirty());
        madvise.set(() -> null);
        assertZero(scrubber.drainFor(() -> blocks.allocate(HALF, 1)));
    }

    @Test
    void a_range_whose_pages_may_be_kept_gets_new_pages_or_is_not_allocated() {
        long kept = used();
        used();
        lent.add(kept);
        blocks.discard(kept);
        punches.set(false);
        assertEquals(-1, scrubber.drainFor(() -> blocks.allocate(HALF, 1)));
        assertEquals(Set.of(kept), lent);
        punches.set(true);
        assertEquals(kept, scrubber.drainFor(() -> blocks.allocate(HALF, 1)));
        assertEquals(Set.of(), lent);
        assertZero(kept);
    }

    @Test
    void a_close_waits_for_the_block_in_progress() throws InterruptedException {
        CountDownLatch underWay = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        backLater(unbacked());
        madvise.set(() -> {
            underWay.countDown();
            awaitQuietly(goOn);
            return null;
        });
        scrubber.start();
        underWay.await();
        AtomicBoolean backed = new AtomicBoolean();
        Thread ending = new Thread(() -> {
            scrubber.end();
            backed.set(free() == SIZE);
        });
        ending.start();
        await(() -> ending.getState() == Thread.State.TIMED_WAITING);
        goOn.countDown();
        ending.join();
        assertTrue(backed.get());
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** A range whose buffer had other memory is backed by the thread, one second after the release. */
    @Test
    void an_error_and_a_throwing_log_end_no_thread_and_lose_no_range() {
        try (FailingLog log = new FailingLog(DaemonLoop.class, true);
                RegionSource source = RegionSource.open("camera", LAYOUT, syscalls, Headroom.machine())) {
            HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
            madvise.set(() -> {
                throw new OutOfMemoryError("thrown by the test");
            });
            buffer.release();
            await(() -> log.records() == 1);
            assertEquals(0, source.usage().free().orElseThrow());
            madvise.set(() -> null);
            await(() -> source.usage().free().orElseThrow() == SIZE);
        }
    }

    private static void await(BooleanSupplier condition) {
        long end = System.nanoTime() + 30_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, "time limit exceeded");
            Thread.onSpinWait();
        }
    }
}
