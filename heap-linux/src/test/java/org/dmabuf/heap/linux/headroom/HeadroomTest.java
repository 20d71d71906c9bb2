// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.headroom;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.machine.MachineMemory;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;

/** Tests with a number as the machine and a clock that stands still, so no result depends on time. */
class HeadroomTest {
    private static final long MILLISECOND = 1_000_000;
    private static final long RESERVE = 64 << 20;
    private static final long MIB = 1 << 20;

    private final AtomicLong available = new AtomicLong(RESERVE + 100 * MIB);
    private final AtomicLong cgroup = new AtomicLong(Long.MAX_VALUE / 2);
    private final AtomicLong cgroupSize = new AtomicLong(Long.MAX_VALUE);
    private final AtomicLong clock = new AtomicLong();
    private long heldAtReading;
    private final AtomicInteger readings = new AtomicInteger();
    /** Action of other processes between the reading of the machine's figure and its use. */
    private volatile Runnable meanwhile = () -> {};

    private final Headroom headroom = new Headroom(this::read, RESERVE, clock::get);

    private MachineMemory.Reading read(long held) {
        readings.incrementAndGet();
        heldAtReading = held;
        MachineMemory.Reading figure = new MachineMemory.Reading(
                new MachineMemory.Bound(available.get(), "a fictitious machine", Long.MAX_VALUE),
                new MachineMemory.Bound(cgroup.get(), "a fictitious limit", cgroupSize.get()));
        meanwhile.run();
        return figure;
    }

    /** Acts as a heap does: reserves, takes the memory from the machine, and settles. */
    private void allocate(long bytes) {
        headroom.reserve("camera", bytes);
        available.addAndGet(-bytes);
        headroom.settle(bytes);
    }

    private HeapException refused(long bytes) {
        return assertThrows(HeapException.class, () -> headroom.reserve("camera", bytes));
    }

    @Test
    void all_but_the_reserve_is_granted() {
        assertEquals(100 * MIB, headroom.available());
        allocate(60 * MIB);
        allocate(40 * MIB);
        assertEquals(0, headroom.available());
        refused(1);
    }

    @Test
    void a_refusal_states_the_request_the_rest_and_the_remedy() {
        allocate(60 * MIB);
        HeapException refusal = refused(41 * MIB);
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(Optional.of("camera"), refusal.heap());
        assertEquals(
                "heap 'camera': 41 MiB does not fit: 40 MiB left of a fictitious machine less a reserve of 64 MiB; ask"
                        + " for less, close buffers, or lower org.dmabuf.heap.headroom.reserve",
                refusal.getMessage());
    }

    @Test
    void an_absurd_size_is_refused_and_reserves_nothing() {
        allocate(MIB); // a previous reservation, so that a sum could overflow
        for (long bytes : new long[] {1L << 46, Long.MAX_VALUE - Bytes.PAGE + 1, Long.MAX_VALUE}) {
            assertEquals(Errno.ENOMEM, refused(bytes).errno());
        }
        assertEquals(99 * MIB, headroom.available());
    }

    @Test
    void a_machine_with_less_than_the_reserve_grants_nothing() {
        available.set(RESERVE - 1);
        refused(1);
        assertEquals(0, headroom.available());
    }

    @Test
    void grants_within_50_ms_of_a_reading_do_not_read_again() {
        allocate(MIB);
        for (int i = 0; i < 50; i++) {
            clock.addAndGet(MILLISECOND);
            allocate(MIB);
            headroom.available();
        }
        assertEquals(1, readings.get());
    }

    @Test
    void after_50_ms_the_machine_is_read_once_more() {
        allocate(MIB);
        clock.addAndGet(50 * MILLISECOND + 1);
        allocate(MIB);
        allocate(MIB);
        assertEquals(2, readings.get());
        clock.addAndGet(50 * MILLISECOND + 1);
        headroom.available();
        headroom.available();
        assertEquals(3, readings.get());
    }

    @Test
    void returned_memory_is_found_before_a_request_is_refused() {
        allocate(100 * MIB);
        available.addAndGet(100 * MIB);
        allocate(100 * MIB);
        assertEquals(2, readings.get());
    }

    @Test
    void each_refusal_has_its_own_reading() {
        allocate(100 * MIB);
        refused(MIB);
        refused(MIB);
        assertEquals(3, readings.get());
    }

    @Test
    void a_pending_reservation_is_not_granted_again_although_the_machine_does_not_show_it() {
        headroom.reserve("camera", 60 * MIB);
        clock.addAndGet(51 * MILLISECOND);
        refused(41 * MIB);
        assertEquals(40 * MIB, headroom.available());
    }

    @Test
    void a_cancelled_reservation_is_free_again_at_the_next_reading() {
        headroom.reserve("camera", 60 * MIB);
        headroom.settle(60 * MIB);
        allocate(100 * MIB);
    }

    @Test
    void memory_that_is_allocated_during_a_reading_is_not_granted_again() {
        allocate(MIB);
        clock.addAndGet(51 * MILLISECOND);
        meanwhile = () -> {
            meanwhile = () -> {};
            // Another thread reserves on the figure that is still valid. The reading in progress does not include that.
            clock.addAndGet(-51 * MILLISECOND);
            allocate(60 * MIB);
            clock.addAndGet(51 * MILLISECOND);
        };
        assertEquals(39 * MIB, headroom.available());
    }

    @Test
    void an_old_figure_grants_nothing_while_another_thread_is_reading() throws InterruptedException {
        allocate(MIB);
        clock.addAndGet(3_600_000 * MILLISECOND);
        available.set(RESERVE + 10 * MIB);
        AtomicInteger granted = new AtomicInteger();
        Thread other = new Thread(() -> {
            headroom.reserve("camera", 60 * MIB);
            granted.incrementAndGet();
        });
        other.setUncaughtExceptionHandler((thread, refusal) -> {});
        meanwhile = () -> {
            meanwhile = () -> {};
            other.start();
            while (other.getState() == Thread.State.NEW || other.getState() == Thread.State.RUNNABLE) {
                Thread.onSpinWait();
            }
        };
        headroom.available();
        other.join();
        assertEquals(0, granted.get());
        // The first reading, the shared one that the other thread waited for, and the one before its refusal.
        assertEquals(3, readings.get());
    }

    @Test
    void threads_together_get_all_memory_and_never_more() throws InterruptedException {
        int threads = 8;
        long all = 100_000;
        available.set(RESERVE + all);
        meanwhile = Thread::yield;
        AtomicLong granted = new AtomicLong();
        Thread[] takers = new Thread[threads];
        for (int i = 0; i < threads; i++) {
            takers[i] = new Thread(() -> {
                try {
                    while (granted.get() <= all) { // the bound ends a heap that never refuses
                        allocate(1);
                        granted.incrementAndGet();
                        clock.addAndGet(10 * MILLISECOND); // about every sixth grant needs a reading
                    }
                } catch (HeapException done) {
                    // The refusal of this thread.
                }
            });
        }
        for (Thread taker : takers) {
            taker.start();
        }
        for (Thread taker : takers) {
            taker.join();
        }
        assertEquals(all, granted.get());
        assertEquals(RESERVE, available.get());
    }

    @Test
    void a_report_waits_for_the_first_reading_because_unknown_memory_is_not_zero() throws InterruptedException {
        CountDownLatch reading = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        meanwhile = () -> {
            reading.countDown();
            await(end);
        };
        Thread first = new Thread(headroom::available);
        first.start();
        await(reading);
        AtomicLong shown = new AtomicLong(-1);
        Thread report = new Thread(() -> shown.set(headroom.available()));
        report.start();
        while (report.getState() != Thread.State.BLOCKED && report.isAlive()) {
            Thread.onSpinWait();
        }
        end.countDown();
        first.join();
        report.join();
        assertEquals(100 * MIB, shown.get());
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(60, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void held_memory_is_reported_to_each_reading() {
        headroom.hold(30 * MIB);
        headroom.hold(2 * MIB);
        headroom.release(30 * MIB);
        headroom.available();
        assertEquals(2 * MIB, heldAtReading);
    }

    @Test
    void the_lower_of_machine_and_cgroup_applies_and_is_named() {
        cgroup.set(RESERVE + 10 * MIB);
        allocate(4 * MIB);
        cgroup.addAndGet(-4 * MIB);
        assertEquals(6 * MIB, headroom.available());
        HeapException refusal = refused(7 * MIB);
        assertTrue(refusal.getMessage().contains("6 MiB left of a fictitious limit less"), refusal.getMessage());
        assertFalse(refusal.getMessage().contains("raise that limit"), refusal.getMessage()); // its size is unknown
        cgroupSize.set(RESERVE + 20 * MIB);
        refusal = refused(7 * MIB);
        assertTrue(
                refusal.getMessage().contains("; ask for less, close buffers, raise that limit, or lower"),
                refusal.getMessage());
        available.set(RESERVE + 5 * MIB);
        refusal = refused(7 * MIB);
        assertTrue(refusal.getMessage().contains("5 MiB left of a fictitious machine less"), refusal.getMessage());
    }

    @Test
    void memory_that_no_cgroup_is_charged_for_counts_only_against_the_machine() {
        cgroup.set(RESERVE + 10 * MIB);
        headroom.uncharged().reserve("camera", 60 * MIB);
        assertEquals(40 * MIB, headroom.uncharged().available());
        assertEquals(10 * MIB, headroom.available());
        headroom.reserve("camera", 10 * MIB);
        assertEquals(30 * MIB, headroom.uncharged().available());
        refused(1);
        assertThrows(HeapException.class, () -> headroom.uncharged().reserve("camera", 31 * MIB));
    }

    @Test
    void memory_that_the_machine_has_set_aside_counts_only_against_the_cgroup() {
        available.set(RESERVE);
        cgroup.set(RESERVE + 10 * MIB);
        headroom.setAside().reserve("camera", 8 * MIB);
        assertEquals(2 * MIB, headroom.setAside().available());
        HeapException refusal =
                assertThrows(HeapException.class, () -> headroom.setAside().reserve("camera", 3 * MIB));
        assertTrue(refusal.getMessage().contains("2 MiB left of a fictitious limit less"), refusal.getMessage());
        headroom.setAside().settle(8 * MIB);
    }

    @Test
    void a_refusal_by_the_machine_reserves_nothing_in_the_cgroup() {
        cgroup.set(RESERVE + 200 * MIB);
        refused(150 * MIB);
        available.set(RESERVE + 300 * MIB);
        clock.addAndGet(51 * MILLISECOND);
        assertEquals(200 * MIB, headroom.available());
    }

    @Test
    void a_limit_not_above_the_reserve_is_reported_with_the_remedy() {
        cgroup.set(50 * MIB);
        cgroupSize.set(50 * MIB);
        assertEquals(
                "heap 'camera': 1 MiB does not fit: a fictitious limit is 50 MiB, all of it within the reserve of 64"
                        + " MiB for the rest of the process and of the machine; raise that limit, or lower"
                        + " org.dmabuf.heap.headroom.reserve",
                refused(MIB).getMessage());
    }

    /** Creates a pool of this many bytes, which return to the machine when they are released. */
    private Headroom.Spare pool(AtomicLong kept) {
        Headroom.Spare spare = new Headroom.Spare() {
            @Override
            public long held() {
                return kept.get();
            }

            @Override
            public long giveBack(long bytes) {
                long given = Math.min(kept.get(), bytes);
                kept.addAndGet(-given);
                available.addAndGet(given);
                cgroup.addAndGet(given);
                return given;
            }
        };
        return spare;
    }

    @Test
    void pools_also_return_memory_that_the_reserve_lacks() {
        AtomicLong kept = new AtomicLong(50 * MIB);
        headroom.add(pool(kept));
        available.set(RESERVE - 30 * MIB);
        assertEquals(20 * MIB, headroom.available());
        allocate(20 * MIB);
        assertEquals(0, kept.get());
        assertEquals(RESERVE, available.get());
    }

    @Test
    void pools_keep_memory_that_would_not_be_enough() {
        AtomicLong kept = new AtomicLong(50 * MIB);
        headroom.add(pool(kept));
        available.set(RESERVE - 30 * MIB);
        refused(20 * MIB + 1);
        assertEquals(50 * MIB, kept.get());
    }

    @Test
    void a_pool_that_no_cgroup_is_charged_for_is_kept_in_a_shortage_of_the_cgroup() {
        AtomicLong kept = new AtomicLong(50 * MIB);
        headroom.uncharged().add(pool(kept));
        cgroup.set(RESERVE);
        refused(MIB);
        assertEquals(50 * MIB, kept.get());
        available.set(RESERVE);
        clock.addAndGet(51 * MILLISECOND);
        headroom.uncharged().reserve("camera", MIB);
        assertEquals(49 * MIB, kept.get());
    }

    @Test
    void a_machine_that_cannot_be_read_is_reported_with_the_cause_and_the_last_figure_serves_for_reports() {
        headroom.available();
        meanwhile = () -> {
            throw HeapException.of(Errno.EMFILE, "open(/proc/meminfo) failed: too many open files; close some");
        };
        clock.addAndGet(51 * MILLISECOND);
        assertEquals(100 * MIB, headroom.available());
        HeapException refusal = refused(MIB);
        assertEquals(Errno.EMFILE, refusal.errno());
        assertEquals(Optional.of("camera"), refusal.heap());
        assertEquals(
                "heap 'camera': cannot check whether 1 MiB fits: open(/proc/meminfo) failed: too many open files; close"
                        + " some",
                refusal.getMessage());
        meanwhile = () -> {};
        allocate(100 * MIB);
    }

    @Test
    void the_reserve_is_a_size_and_an_invalid_one_leaves_the_default_in_force() {
        assertEquals(64 * MIB, Headroom.reserve(null));
        assertEquals(16 * MIB, Headroom.reserve("16M"));
        assertEquals(12345, Headroom.reserve("12345"));
        assertEquals(0, Headroom.reserve("0"));
        for (String none : List.of("", "much", "-1", "16 MB of it", "99999999999G")) {
            List<String> lines = RecordedLog.of(Headroom.class, () -> assertEquals(64 * MIB, Headroom.reserve(none)));
            assertEquals(
                    List.of("invalid org.dmabuf.heap.headroom.reserve = " + none + " in the system properties: expected"
                            + " bytes, or a number with K, M, G or T, such as 16M; a reserve of 64 MiB is in force"),
                    lines);
        }
    }

    @Test
    void this_machine_has_some_memory_but_less_than_64_tebibytes() {
        assertTrue(Headroom.machine().available() > 0);
        assertTrue(Headroom.machine().available() < 1L << 46);
        HeapException refusal =
                assertThrows(HeapException.class, () -> Headroom.machine().reserve("camera", 1L << 46));
        assertEquals(Errno.ENOMEM, refusal.errno());
    }
}
