// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.UnaryOperator;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.daemon.FailingLog;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.machine.PressureWatch;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of pools of real memory, on a machine whose size, clock and pressure a test sets. */
class PooledSourceTest {
    private static final long SIZE = 64 << 10;
    private static final long MIB = 1 << 20;
    private static final long SECOND = 1_000_000_000;

    private static HeapRequest exported(long size) {
        return HeapRequest.of(size);
    }

    private static HeapRequest kept(long size) {
        return HeapRequest.of(size).withExport(ExportMode.NONE);
    }

    /** Memory pressure set by a test, which can also await the sleep of the keeper. */
    private static final class Pressure implements PressureWatch {
        private boolean asleep;
        private boolean woken;
        private boolean pressed;
        private long wakes;
        private long waited;
        private boolean closed;
        private boolean notified = true;
        private Error failure;

        @Override
        public synchronized boolean isNotified() {
            return notified;
        }

        /** Whether the next wait throws. */
        synchronized void fail(Error error) {
            failure = error;
        }

        @Override
        public synchronized boolean await(long nanos) {
            if (failure != null) {
                Error thrown = failure;
                failure = null;
                throw thrown;
            }
            asleep = true;
            waited = nanos;
            notifyAll();
            try {
                while (!woken && !pressed) {
                    wait();
                }
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            boolean wasPressed = pressed;
            asleep = false;
            woken = false;
            pressed = false;
            return wasPressed;
        }

        @Override
        public synchronized void wake() {
            woken = true;
            wakes++;
            notifyAll();
        }

        @Override
        public synchronized void close() {
            closed = true;
        }

        synchronized void press() {
            pressed = true;
            notifyAll();
        }

        /** Waits until the keeper has completed its work. */
        synchronized void settle() {
            long end = System.nanoTime() + 10 * SECOND;
            while (!asleep || woken || pressed) {
                long millis = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (millis <= 0) {
                    throw new AssertionError("the keeper does not come to rest");
                }
                try {
                    wait(millis);
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
        }
    }

    /** Source of counted memfds whose failures a test sets. */
    private final class Provider implements MemorySource {
        private final MemfdSource memfds = MemfdSource.open("system", Syscalls.linux(), headroom);
        private volatile UnaryOperator<HeapBuffer> fault = buffer -> buffer;
        private final AtomicLong made = new AtomicLong();
        private final AtomicLong out = new AtomicLong();
        private volatile boolean closed;

        @Override
        public Map<String, Object> properties() {
            return memfds.properties();
        }

        @Override
        public HeapBuffer allocate(HeapRequest request) {
            HeapBuffer buffer = memfds.allocate(request);
            made.incrementAndGet();
            out.incrementAndGet();
            HeapBuffer counted = new Forwarding(buffer) {
                @Override
                public void release() {
                    super.release();
                    out.decrementAndGet();
                }
            };
            try {
                return fault.apply(counted);
            } catch (RuntimeException e) {
                counted.release();
                throw e;
            }
        }

        @Override
        public HeapUsage usage() {
            return memfds.usage();
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private static class Forwarding implements HeapBuffer {
        private final HeapBuffer buffer;

        Forwarding(HeapBuffer buffer) {
            this.buffer = buffer;
        }

        @Override
        public long size() {
            return buffer.size();
        }

        @Override
        public int descriptor() {
            return buffer.descriptor();
        }

        @Override
        public MemorySegment map(Access access) {
            return buffer.map(access);
        }

        @Override
        public void unmap(MemorySegment mapping) {
            buffer.unmap(mapping);
        }

        @Override
        public void release() {
            buffer.release();
        }
    }

    private final AtomicLong available = new AtomicLong(1 << 30);
    private volatile LongSupplier machine = available::get;
    private final AtomicLong clock = new AtomicLong();
    private final Headroom headroom = MadeUpHeadroom.of(() -> machine.getAsLong(), System::nanoTime);
    private final Pressure pressure = new Pressure();
    private final Provider provider = new Provider();
    private PooledSource pooled;

    private void open(PoolBudget budget) {
        pooled = new PooledSource(provider, "system", Syscalls.linux(), headroom, budget, pressure, clock::get).start();
        pressure.settle();
    }

    @AfterEach
    void nothing_is_left() {
        if (pooled != null) {
            pooled.close();
            assertTrue(provider.closed);
            assertTrue(pressure.closed);
        }
        assertEquals(0, provider.out.get());
    }

    private PoolUsage usage(String pool) {
        return pooled.usage().pools().stream()
                .filter(usage -> usage.name().equals(pool))
                .findFirst()
                .orElseThrow();
    }

    private void assertPool(String pool, long bytes, long hits, long misses) {
        PoolUsage usage = usage(pool);
        assertEquals(
                List.of(bytes, hits, misses), List.of(usage.bytes(), usage.hits(), usage.misses()), usage.toString());
    }

    private static void fill(HeapBuffer buffer, byte value) {
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        mapping.fill(value);
        buffer.unmap(mapping);
    }

    private static void assertZero(HeapBuffer buffer) {
        MemorySegment mapping = buffer.map(Access.READ);
        assertEquals(-1, mapping.mismatch(MemorySegment.ofArray(new byte[(int) buffer.size()])));
        buffer.unmap(mapping);
    }

    @Test
    void an_empty_budget_returns_the_source_itself() {
        assertSame(provider, PooledSource.over(provider, "system", Syscalls.linux(), headroom, PoolBudget.none()));
    }

    @Test
    void buffers_are_created_in_advance_with_their_pages_and_served_without_the_source() {
        open(PoolBudget.none().withPrewarmed(SIZE, 4).withPrewarmed(MIB, 2));
        assertPool("prewarmed", 4 * SIZE + 2 * MIB, 0, 0);
        assertEquals(6, provider.made.get());
        HeapBuffer buffer = pooled.allocate(exported(SIZE - 1)); // rounds to the same number of pages
        assertEquals(6, provider.made.get());
        assertEquals(SIZE, buffer.size());
        assertEquals(SIZE, Syscalls.linux().allocated(buffer.descriptor()));
        assertZero(buffer);
        assertPool("prewarmed", 3 * SIZE + 2 * MIB, 1, 0);
        buffer.release();
        assertEquals(5, provider.out.get());
    }

    @Test
    void a_pool_is_refilled_when_half_of_it_is_used_and_not_for_each_buffer() {
        open(PoolBudget.none().withPrewarmed(SIZE, 4));
        pooled.allocate(exported(SIZE)).release();
        assertEquals(0, pressure.wakes);
        pooled.allocate(exported(SIZE)).release();
        assertEquals(1, pressure.wakes);
        pressure.settle();
        assertPool("prewarmed", 4 * SIZE, 2, 0);
        assertEquals(6, provider.made.get());
    }

    @Test
    void an_exported_buffer_is_never_reused() {
        open(PoolBudget.none().withPrewarmed(SIZE, 2).withRecycled(MIB));
        Descriptors descriptors = new Descriptors(Syscalls.linux());
        Set<Long> inodes = new HashSet<>();
        List<Integer> peers = new ArrayList<>(); // open, so that no inode number is reused
        for (int round = 0; round < 20; round++) {
            HeapBuffer buffer = pooled.allocate(exported(SIZE));
            peers.add(Syscalls.linux().fcntl(buffer.descriptor(), 1030, 0)); // F_DUPFD_CLOEXEC
            assertTrue(inodes.add(descriptors.inode("system", buffer.descriptor())));
            assertZero(buffer);
            fill(buffer, (byte) 0x5a);
            buffer.release();
            pressure.settle();
        }
        assertPool("recycled", 0, 0, 0);
        peers.forEach(Syscalls.linux()::close);
    }

    @Test
    void a_buffer_without_export_is_reused_zeroed_and_still_has_no_descriptor() {
        open(PoolBudget.none().withRecycled(MIB));
        HeapBuffer first = pooled.allocate(kept(SIZE));
        long address = first.map(Access.READ_WRITE).address();
        fill(first, (byte) 0x5a);
        first.release();
        assertPool("recycled", SIZE, 0, 1);

        HeapBuffer second = pooled.allocate(kept(SIZE));
        assertEquals(address, second.map(Access.READ).address());
        assertZero(second);
        assertEquals(
                Errno.ENOTSUP,
                assertThrows(HeapException.class, second::descriptor).errno());
        assertPool("recycled", 0, 1, 1);
        second.release();
        assertEquals(1, provider.made.get());
    }

    @Test
    void the_two_pools_are_never_mixed() {
        open(PoolBudget.none().withPrewarmed(SIZE, 2).withRecycled(MIB));
        pooled.allocate(kept(SIZE)).release();
        assertPool("prewarmed", 2 * SIZE, 0, 0);
        HeapBuffer exported = pooled.allocate(exported(SIZE));
        assertPool("recycled", SIZE, 0, 1);
        exported.release();
        assertPool("recycled", SIZE, 0, 1);
    }

    @Test
    void a_second_release_does_not_affect_the_next_user_of_the_memory() {
        open(PoolBudget.none().withRecycled(MIB));
        HeapBuffer stale = pooled.allocate(kept(SIZE));
        stale.release();
        HeapBuffer tenant = pooled.allocate(kept(SIZE));
        stale.release();
        HeapBuffer other = pooled.allocate(kept(SIZE));
        assertNotEquals(
                tenant.map(Access.READ).address(), other.map(Access.READ).address());
        tenant.release();
        other.release();
    }

    @Test
    void requests_that_no_pool_serves_go_to_the_source() {
        open(PoolBudget.none().withPrewarmed(SIZE, 2).withRecycled(MIB));
        for (HeapRequest wrong : List.of(
                exported(1L << 62),
                exported(SIZE).withAlignment(2 * Bytes.PAGE),
                kept(SIZE).withAlignment(2 * Bytes.PAGE))) {
            assertThrows(HeapException.class, () -> pooled.allocate(wrong), wrong.toString());
        }
        pooled.allocate(HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY)).release();
        assertPool("prewarmed", 2 * SIZE, 0, 0);
        assertPool("recycled", 0, 0, 0);
    }

    @Test
    void above_the_budget_the_oldest_is_released() {
        open(PoolBudget.none().withRecycled(3 * SIZE));
        List<HeapBuffer> held = new ArrayList<>();
        for (int i = 1; i <= 3; i++) {
            held.add(pooled.allocate(kept(i * Bytes.PAGE)));
        }
        held.add(pooled.allocate(kept(3 * SIZE - 3 * Bytes.PAGE)));
        held.add(pooled.allocate(kept(4 * SIZE)));
        held.forEach(HeapBuffer::release);
        // The buffers of 1 and 2 pages were released, and the next two stay. The last one exceeds the budget.
        assertPool("recycled", 3 * SIZE, 0, 5);
        pooled.allocate(kept(3 * Bytes.PAGE)).release();
        pooled.allocate(kept(Bytes.PAGE)).release();
        assertEquals(1, usage("recycled").hits());
        assertTrue(usage("recycled").bytes() <= 3 * SIZE);
    }

    @Test
    void the_youngest_of_a_size_is_served_first() {
        open(PoolBudget.none().withRecycled(MIB));
        HeapBuffer one = pooled.allocate(kept(SIZE));
        HeapBuffer two = pooled.allocate(kept(SIZE));
        HeapBuffer other = pooled.allocate(kept(Bytes.PAGE));
        long first = one.map(Access.READ).address();
        long second = two.map(Access.READ).address();
        one.release();
        two.release();
        other.release();
        assertPool("recycled", 2 * SIZE + Bytes.PAGE, 0, 3);
        HeapBuffer youngest = pooled.allocate(kept(SIZE));
        HeapBuffer oldest = pooled.allocate(kept(SIZE));
        assertEquals(
                List.of(second, first),
                List.of(
                        youngest.map(Access.READ).address(),
                        oldest.map(Access.READ).address()));
        assertPool("recycled", Bytes.PAGE, 2, 3);
        youngest.release();
        oldest.release();
        assertPool("recycled", 2 * SIZE + Bytes.PAGE, 2, 3);
        assertEquals(Bytes.PAGE, pooled.trim(1)); // it returned first
    }

    @Test
    void memory_that_returned_last_is_released_when_only_it_is_too_old() {
        open(PoolBudget.none().withRecycled(MIB).withIdle(Duration.ofSeconds(8)));
        HeapBuffer late = pooled.allocate(kept(SIZE));
        pooled.allocate(kept(Bytes.PAGE)).release();
        clock.addAndGet(4 * SECOND);
        pressure.wake();
        pressure.settle();
        late.release();
        assertPool("recycled", SIZE + Bytes.PAGE, 0, 2);
        clock.addAndGet(4 * SECOND);
        pressure.wake();
        pressure.settle();
        assertPool("recycled", SIZE, 0, 2);
        clock.addAndGet(4 * SECOND);
        pressure.wake();
        pressure.settle();
        assertPool("recycled", 0, 0, 2);
    }

    @Test
    void trim_releases_at_least_the_wanted_bytes_and_returns_the_amount() {
        open(PoolBudget.none().withPrewarmed(SIZE, 4).withRecycled(MIB));
        HeapBuffer one = pooled.allocate(kept(SIZE));
        HeapBuffer two = pooled.allocate(kept(SIZE));
        one.release();
        two.release();
        assertEquals(0, pooled.trim(0));
        assertEquals(0, pooled.trim(-1));
        assertEquals(SIZE, pooled.trim(1));
        assertEquals(2 * SIZE, pooled.trim(SIZE + 1)); // the rest of the recycled memory, then of the prewarmed memory
        assertPool("recycled", 0, 0, 2);
        assertPool("prewarmed", 3 * SIZE, 0, 0);
        assertEquals(3 * SIZE, pooled.trim(Long.MAX_VALUE));
        assertEquals(0, provider.out.get());
    }

    @Test
    void idle_memory_is_released_and_returns_with_the_next_request() {
        open(PoolBudget.none().withPrewarmed(SIZE, 2).withRecycled(MIB).withIdle(Duration.ofSeconds(10)));
        pooled.allocate(kept(SIZE)).release();
        clock.addAndGet(9 * SECOND);
        pressure.wake();
        pressure.settle();
        assertEquals(SECOND, pressure.waited); // until the first of them has been idle for the configured time
        assertEquals(3, provider.out.get());
        clock.addAndGet(SECOND);
        pressure.wake();
        pressure.settle();
        assertEquals(0, provider.out.get());

        pooled.allocate(exported(SIZE)).release();
        pressure.settle();
        assertPool("prewarmed", 2 * SIZE, 0, 1);
    }

    @Test
    void under_pressure_everything_is_released_and_nothing_is_created_until_it_ends() {
        open(PoolBudget.none().withPrewarmed(SIZE, 2).withRecycled(MIB));
        pooled.allocate(kept(SIZE)).release();
        pressure.press();
        pressure.settle();
        assertEquals(0, provider.out.get());
        pooled.allocate(exported(SIZE)).release(); // still served
        pressure.settle();
        assertPool("prewarmed", 0, 0, 1);
        clock.addAndGet(5 * SECOND);
        pressure.wake();
        pressure.settle();
        assertPool("prewarmed", 2 * SIZE, 0, 1);
    }

    @Test
    void without_the_kernels_notification_the_machines_figures_are_read() {
        pressure.notified = false;
        open(PoolBudget.none().withPrewarmed(MIB, 8));
        assertEquals(SECOND, pressure.waited);
        available.set(MIB);
        headroom.reserve("other", 0);
        awaitReading(MIB);
        pressure.wake();
        pressure.settle();
        assertTrue(usage("prewarmed").bytes() <= 2 * MIB, usage("prewarmed").toString());
    }

    /** A reading is at most 50 ms old. */
    private void awaitReading(long left) {
        long end = System.nanoTime() + 10 * SECOND;
        while (headroom.left() != left) {
            assertTrue(System.nanoTime() < end, "left: " + headroom.left());
            Thread.onSpinWait();
        }
    }

    @Test
    void pools_keep_no_more_than_they_leave_free() {
        available.set(6 * MIB);
        open(PoolBudget.none().withPrewarmed(MIB, 1000));
        assertTrue(usage("prewarmed").bytes() <= 3 * MIB, usage("prewarmed").toString());
        assertTrue(usage("prewarmed").bytes() >= MIB, usage("prewarmed").toString());
    }

    @Test
    void pooled_memory_counts_as_free_and_is_released_before_a_request_is_refused() {
        open(PoolBudget.none().withPrewarmed(MIB, 8));
        machine = () -> (11 - provider.out.get()) * MIB; // 8 of them are pooled
        awaitReading(3 * MIB);
        assertEquals(11 * MIB, pooled.usage().free().orElseThrow());
        assertEquals(11 * MIB, headroom.available());
        assertThrows(HeapException.class, () -> headroom.reserve("camera", 12 * MIB));
        assertPool("prewarmed", 8 * MIB, 0, 0); // no memory was released in vain

        headroom.reserve("camera", 5 * MIB);
        headroom.settle(5 * MIB);
        assertPool("prewarmed", 6 * MIB, 0, 0);
    }

    @Test
    void the_kernel_is_asked_again_after_the_pools_released_their_memory() {
        open(PoolBudget.none().withPrewarmed(MIB, 2).withRecycled(MIB));
        provider.fault = buffer -> {
            if (provider.out.get() > 2) { // this call and another one
                throw HeapException.of(Errno.ENOMEM, "system", "no memory");
            }
            return buffer;
        };
        HeapBuffer buffer = pooled.allocate(exported(SIZE));
        assertPool("prewarmed", MIB, 0, 0);
        buffer.release();
        HeapBuffer held = pooled.allocate(kept(2 * SIZE));
        HeapException refusal = assertThrows(HeapException.class, () -> pooled.allocate(kept(2 * MIB)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertPool("prewarmed", MIB, 0, 0); // no memory was released in vain
        held.release();
    }

    @Test
    void a_source_that_fails_once_leaves_the_counts_right_and_is_asked_again() {
        provider.fault = new UnaryOperator<>() {
            private boolean failed;

            @Override
            public synchronized HeapBuffer apply(HeapBuffer buffer) {
                if (!failed) {
                    failed = true;
                    throw HeapException.of(Errno.ENOMEM, "system", "no memory this time");
                }
                return buffer;
            }
        };
        open(PoolBudget.none().withPrewarmed(SIZE, 3).withRecycled(MIB));
        assertPool("prewarmed", 0, 0, 0);
        clock.addAndGet(5 * SECOND);
        pressure.wake();
        pressure.settle();
        assertPool("prewarmed", 3 * SIZE, 0, 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"refuses", "throws", "gives too little", "cannot be mapped"})
    void a_source_that_keeps_failing_leaves_the_counts_right_and_the_pools_recover_with_it(String how) {
        UnaryOperator<HeapBuffer> fault = buffer -> switch (how) {
            case "refuses" -> throw HeapException.of(Errno.ENOMEM, "system", "no memory at all");
            case "throws" -> throw new IllegalStateException("a bug");
            case "gives too little" ->
                new Forwarding(buffer) {
                    @Override
                    public long size() {
                        return buffer.size() - Bytes.PAGE;
                    }
                };
            default ->
                new Forwarding(buffer) {
                    @Override
                    public MemorySegment map(Access access) {
                        throw HeapException.of(Errno.ENOMEM, "system", "no room; raise vm.max_map_count");
                    }
                };
        };
        provider.fault = fault;
        open(PoolBudget.none().withPrewarmed(SIZE, 3).withRecycled(MIB));
        for (int i = 0; i < 3; i++) {
            RuntimeException failure = assertThrows(RuntimeException.class, () -> pooled.allocate(kept(SIZE)));
            switch (how) {
                case "gives too little" -> assertEquals(Errno.EIO, ((HeapException) failure).errno());
                case "cannot be mapped" -> assertEquals(Errno.EAGAIN, ((HeapException) failure).errno());
                case "refuses" -> assertEquals("heap 'system': no memory at all", failure.getMessage());
                default -> assertEquals("a bug", failure.getMessage());
            }
            clock.addAndGet(5 * SECOND);
            pressure.wake();
            pressure.settle();
        }
        assertPool("prewarmed", 0, 0, 0);
        assertPool("recycled", 0, 0, 3);
        assertEquals(0, provider.out.get());

        provider.fault = buffer -> buffer;
        clock.addAndGet(5 * SECOND);
        pressure.wake();
        pressure.settle();
        assertPool("prewarmed", 3 * SIZE, 0, 0);
        pooled.allocate(kept(SIZE)).release();
        assertPool("recycled", SIZE, 0, 4);
    }

    @Test
    void an_error_in_the_upkeep_of_the_pools_does_not_end_it() {
        try (FailingLog log = new FailingLog(DaemonLoop.class, true)) {
            open(PoolBudget.none().withPrewarmed(SIZE, 3));
            pressure.fail(new OutOfMemoryError("thrown by the test"));
            pooled.allocate(exported(SIZE)).release();
            pooled.allocate(exported(SIZE)).release();
            pressure.wake();
            pressure.settle();
            assertEquals(1, log.records());
            pooled.allocate(exported(SIZE)).release();
            pooled.allocate(exported(SIZE)).release();
            pressure.settle();
            assertPool("prewarmed", 3 * SIZE, 4, 0);
        }
    }

    @Test
    void a_release_that_throws_does_not_prevent_the_release_of_other_memory() {
        AtomicBoolean throwing = new AtomicBoolean();
        provider.fault = buffer -> new Forwarding(buffer) {
            @Override
            public void release() {
                super.release();
                if (throwing.get()) {
                    throw new IllegalStateException("thrown by the test");
                }
            }
        };
        open(PoolBudget.none().withPrewarmed(SIZE, 2).withRecycled(MIB));
        List<HeapBuffer> buffers = List.of(pooled.allocate(kept(SIZE)), pooled.allocate(kept(SIZE)));
        buffers.forEach(HeapBuffer::release);
        pressure.settle();
        assertEquals(4, provider.out.get());
        throwing.set(true);
        try (FailingLog log = new FailingLog(PooledMemory.class, true)) {
            assertEquals(4 * SIZE, pooled.trim(Long.MAX_VALUE));
            assertEquals(4, log.records());
        }
        assertEquals(0, provider.out.get());
        throwing.set(false);
    }

    @Test
    void buffers_outlive_their_pools_and_are_then_released() {
        open(PoolBudget.none().withPrewarmed(SIZE, 2).withRecycled(MIB));
        HeapBuffer exported = pooled.allocate(exported(SIZE));
        HeapBuffer recycled = pooled.allocate(kept(SIZE));
        pooled.close();
        assertEquals(2, provider.out.get());
        fill(exported, (byte) 1);
        fill(recycled, (byte) 1);
        exported.release();
        recycled.release();
        assertEquals(0, provider.out.get());
        assertEquals(0, headroom.available() - headroom.left());
    }

    @Test
    void threads_that_release_while_the_pools_close_leave_nothing() throws Exception {
        open(PoolBudget.none().withRecycled(3 * Bytes.PAGE)); // less than the threads use
        CountDownLatch busy = new CountDownLatch(4);
        AtomicBoolean over = new AtomicBoolean();
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                running.add(threads.submit(() -> {
                    ThreadLocalRandom random = ThreadLocalRandom.current();
                    for (int round = 0; !over.get(); round++) {
                        pooled.allocate(kept(random.nextLong(1, 4) * Bytes.PAGE))
                                .release();
                        if (round == 200) {
                            busy.countDown();
                        }
                    }
                }));
            }
            assertTrue(busy.await(60, TimeUnit.SECONDS));
            pooled.close();
            over.set(true);
            for (Future<?> run : running) {
                run.get(60, TimeUnit.SECONDS);
            }
        }
        assertPool("recycled", 0, usage("recycled").hits(), usage("recycled").misses());
        assertEquals(0, provider.out.get());
    }

    @Test
    void concurrent_threads_get_separate_clean_memory() throws Exception {
        open(PoolBudget.none()
                .withPrewarmed(SIZE, 4)
                .withPrewarmed(Bytes.PAGE, 4)
                .withRecycled(8 * SIZE));
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                byte mark = (byte) (t + 1);
                running.add(threads.submit(() -> {
                    ThreadLocalRandom random = ThreadLocalRandom.current();
                    for (int round = 0; round < 1000; round++) {
                        long size = random.nextBoolean() ? SIZE : Bytes.PAGE;
                        HeapBuffer buffer = pooled.allocate(random.nextBoolean() ? kept(size) : exported(size));
                        assertZero(buffer);
                        fill(buffer, mark);
                        if (random.nextInt(50) == 0) {
                            pooled.trim(random.nextLong(4 * SIZE));
                        }
                        MemorySegment mapping = buffer.map(Access.READ);
                        for (long at = 0; at < size; at += 512) {
                            assertEquals(mark, mapping.get(ValueLayout.JAVA_BYTE, at));
                        }
                        buffer.release();
                    }
                }));
            }
            for (Future<?> run : running) {
                run.get(60, TimeUnit.SECONDS);
            }
        }
        pressure.settle();
        assertFalse(usage("recycled").bytes() > 8 * SIZE);
        pooled.trim(Long.MAX_VALUE);
        assertPool("recycled", 0, usage("recycled").hits(), usage("recycled").misses());
        assertEquals(0, provider.out.get());
    }
}
