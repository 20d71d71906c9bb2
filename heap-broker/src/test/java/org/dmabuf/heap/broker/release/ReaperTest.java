// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ReaperTest {
    /** Backlog above which clients that map help. */
    private static final int BACKLOG = 256;

    private static final long MIB = 1 << 20;
    private static final int MOST_THREADS = 4;

    private final Set<Thread> others = reapers(Set.of());
    private final List<Reaper> all = new ArrayList<>();
    private final CountDownLatch goOn = new CountDownLatch(1);
    private final AtomicInteger done = new AtomicInteger();
    private final Reaper reaper = reaper(Duration.ofSeconds(30));

    private Reaper reaper(Duration patience) {
        Reaper made = new Reaper("camera", patience, MOST_THREADS);
        all.add(made);
        return made;
    }

    /** Creates a reaper without a thread. Its work is done where a test or a helping caller does it. */
    private static Reaper idle() {
        return new Reaper("camera", Duration.ofSeconds(30), 0);
    }

    @AfterEach
    void no_thread_is_left() {
        goOn.countDown();
        all.forEach(ReaperTest::end);
        Await.until("no thread is left", () -> reapers(others).isEmpty());
    }

    private static void end(Reaper reaper) {
        reaper.stop();
        reaper.join(in(Duration.ofSeconds(30)));
    }

    private static long in(Duration time) {
        return System.nanoTime() + time.toNanos();
    }

    /** {@return the threads of reapers, except those of other tests} */
    private static Set<Thread> reapers(Set<Thread> others) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.isAlive() && thread.getName().equals("dmaheap-reaper"))
                .filter(thread -> !others.contains(thread))
                .collect(Collectors.toSet());
    }

    private static Thread threadOf(Reaper reaper) {
        AtomicReference<Thread> thread = new AtomicReference<>();
        reaper.submit(Piece.of(() -> thread.set(Thread.currentThread())));
        Await.until("the reaper works", () -> thread.get() != null);
        return thread.get();
    }

    private Piece counts() {
        return Piece.of(done::incrementAndGet);
    }

    /** Occupies a reaper's thread until the test is over. */
    private void hang(Reaper reaper) {
        CountDownLatch begun = new CountDownLatch(1);
        reaper.submit(new Piece("the end of a mapping", 1, () -> {
            begun.countDown();
            await(goOn);
        }));
        await(begun);
    }

    private static void await(CountDownLatch moment) {
        try {
            assertTrue(moment.await(60, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void work_is_done_by_a_daemon_thread_that_starts_with_it_and_ends_with_the_stop() {
        assertEquals(Set.of(), reapers(others));
        Thread thread = threadOf(reaper);
        assertNotEquals(Thread.currentThread(), thread);
        assertEquals("dmaheap-reaper", thread.getName());
        assertTrue(thread.isDaemon());
        assertSame(thread, threadOf(reaper));
        end(reaper);
        Await.until("it ends", () -> !thread.isAlive());
    }

    @Test
    void an_interrupt_ends_only_the_wait_of_an_allocation() {
        hang(reaper);
        Thread.currentThread().interrupt();
        reaper.settleUntilInterrupted(in(Duration.ofDays(1)));
        assertTrue(Thread.interrupted(), "it stays interrupted");
        Thread other = Thread.ofPlatform().daemon().start(() -> reaper.settle(in(Duration.ofDays(1))));
        other.interrupt();
        Await.until("it waits all the same", () -> !other.isInterrupted());
        assertTrue(other.isAlive());
        goOn.countDown();
        Await.until("it ends", () -> !other.isAlive());
    }

    @Test
    void an_idle_thread_ends_and_another_one_does_the_next_work() {
        Thread first = threadOf(reaper);
        Await.until("it ends", () -> !first.isAlive());
        assertNotSame(first, threadOf(reaper));
    }

    @Test
    void a_sleeping_thread_is_woken_for_each_piece_of_work() {
        Thread thread = threadOf(reaper);
        for (int i = 1; i <= 100; i++) {
            int wanted = i;
            Await.until("the reaper sleeps", () -> thread.getState() == Thread.State.TIMED_WAITING);
            reaper.submit(counts());
            Await.until("the work is done", () -> done.get() == wanted);
        }
        assertTrue(thread.isAlive());
    }

    @Test
    void work_that_arrives_as_the_thread_goes_to_sleep_wakes_it() {
        for (int i = 1; i <= 50_000; i++) {
            reaper.submit(counts());
            for (int spins = 0; spins < 10_000 && done.get() < i; spins++) {
                Thread.onSpinWait();
            }
            if (done.get() < i) {
                int wanted = i;
                Await.until("the work is done", () -> done.get() >= wanted);
            }
        }
    }

    @Test
    void the_stop_completes_all_work_and_ends_the_thread() {
        for (int i = 0; i < 1000; i++) {
            reaper.submit(counts());
        }
        end(reaper);
        assertEquals(1000, done.get());
        end(reaper); // a second stop has no effect
    }

    /** The submitting thread may be the one that runs the cleaners of the whole JVM. */
    @Test
    void after_the_stop_a_thread_does_the_work_as_before() {
        end(reaper);
        Thread thread = threadOf(reaper);
        assertNotEquals(Thread.currentThread(), thread);
        Await.until("it ends at once", () -> !thread.isAlive());
    }

    @Test
    void a_stop_from_its_own_thread_does_not_wait_for_itself() {
        reaper.submit(Piece.of(() -> {
            end(reaper);
            reaper.settle(in(Duration.ofSeconds(30)));
            done.incrementAndGet();
        }));
        reaper.submit(counts());
        Await.until("both are done", () -> done.get() == 2);
    }

    @Test
    void an_interrupted_wait_still_waits_and_stays_interrupted() {
        hang(reaper);
        Thread waits = Thread.currentThread();
        Thread.ofPlatform().daemon().start(() -> {
            Await.until("it waits", () -> waits.getState() == Thread.State.TIMED_WAITING);
            goOn.countDown();
        });
        Thread.currentThread().interrupt();
        reaper.settle(in(Duration.ofSeconds(30)));
        assertTrue(Thread.interrupted());
        assertEquals(1, reaper.done());
    }

    @Test
    void no_caller_helps_while_there_is_little_to_do() {
        Reaper idle = idle();
        for (int i = 0; i < BACKLOG; i++) {
            idle.submit(new Piece("small", MIB / 8, done::incrementAndGet));
        }
        assertTrue(idle.help());
        assertEquals(0, done.get());
    }

    @Test
    void a_helping_caller_does_at_most_two_pieces_of_work() {
        Reaper idle = idle();
        for (int i = 0; i < BACKLOG + 10; i++) {
            idle.submit(counts());
        }
        idle.help();
        assertEquals(2, done.get());
        for (int i = 0; i < 100; i++) {
            idle.help();
        }
        assertEquals(10, done.get());
        idle.drain();
        assertEquals(BACKLOG + 10, done.get());
    }

    @Test
    void a_caller_also_helps_if_few_pieces_hold_many_bytes() {
        Reaper idle = idle();
        for (int i = 0; i < 10; i++) {
            idle.submit(new Piece("a frame", 12 * MIB, done::incrementAndGet));
        }
        for (int i = 0; i < 100; i++) {
            idle.help();
        }
        assertEquals(5, done.get()); // 60 MiB are left
        idle.drain();
    }

    @Test
    void a_client_that_maps_and_unmaps_without_a_pause_keeps_the_backlog_bounded() {
        Reaper idle = idle();
        for (int made = 1; made <= 100_000; made++) {
            idle.help();
            idle.submit(counts());
            int waiting = made - done.get();
            assertTrue(waiting <= BACKLOG + 1, () -> waiting + " wait");
        }
    }

    @Test
    void work_submitted_during_the_stop_is_not_lost() {
        class Round {
            final Reaper reaper = new Reaper("camera");
            final AtomicInteger submitted = new AtomicInteger();
            final AtomicInteger done = new AtomicInteger();
            volatile boolean stopped;
        }
        Round[] now = new Round[1];
        Race.Part submits = round -> {
            boolean last;
            do {
                last = now[0].stopped;
                now[0].reaper.submit(Piece.of(now[0].done::incrementAndGet));
                now[0].submitted.incrementAndGet();
            } while (!last);
        };
        new Race()
                .before(round -> now[0] = new Round())
                .with(submits)
                .with(submits)
                .with(round -> {
                    Race.awaitSome(now[0].submitted);
                    now[0].reaper.stop();
                    now[0].stopped = true;
                })
                .after(round -> Await.until("all is done", () -> now[0].submitted.get() == now[0].done.get()))
                .run(1000);
    }

    @Test
    void work_that_throws_is_logged_and_ends_no_thread() {
        Thread thread = threadOf(reaper);
        RecordedLog.clear();
        reaper.submit(Piece.of(() -> {
            throw new NoClassDefFoundError("org/example/Gone");
        }));
        reaper.submit(counts());
        Await.until("the next work is done", () -> done.get() == 1);
        assertSame(thread, threadOf(reaper));
        assertEquals(
                List.of("ERROR the work failed <java.lang.NoClassDefFoundError: org/example/Gone>"),
                RecordedLog.lines());
    }

    @Test
    void a_log_that_throws_ends_no_thread_and_does_not_count_as_hanging_work() {
        Thread thread = threadOf(reaper);
        long before = reaper.done();
        for (int i = 0; i < 20; i++) {
            reaper.submit(Piece.of(() -> {
                throw new IllegalStateException() {
                    private static final long serialVersionUID = 1L;

                    @Override
                    public String toString() { // as the logger calls it
                        throw new IllegalStateException("made up");
                    }
                };
            }));
        }
        reaper.submit(counts());
        Await.until("the next work is done", () -> done.get() == 1);
        assertSame(thread, threadOf(reaper));
        assertEquals(before + 22, reaper.done());
        assertEquals("", reaper.hanging());
    }

    @Test
    void work_behind_hanging_work_is_done_by_another_thread() {
        Reaper impatient = reaper(Duration.ofMillis(100));
        RecordedLog.clear();
        hang(impatient);
        impatient.submit(counts());
        Await.until("another does it", () -> {
            impatient.help();
            return done.get() == 1;
        });
        assertTrue(impatient.hangs());
        assertTrue(impatient.hanging().startsWith("the end of a mapping has hung in its code for "));
        assertEquals(1, RecordedLog.lines().size(), () -> RecordedLog.lines().toString());
        assertTrue(RecordedLog.lines().getFirst().startsWith("WARN the end of a mapping has hung for 100 ms"));
        goOn.countDown();
        Await.until("nothing hangs", () -> !impatient.hangs());
        assertEquals("", impatient.hanging());
    }

    @Test
    void a_completely_hanging_heap_occupies_four_threads_and_delays_no_caller() {
        Reaper impatient = reaper(Duration.ofMillis(50));
        for (int i = 0; i < 20; i++) {
            impatient.submit(Piece.of(() -> {
                await(goOn);
                done.incrementAndGet();
            }));
        }
        Await.until("all its threads hang", () -> {
            impatient.settle(in(Duration.ofMillis(10)));
            return reapers(others).size() == MOST_THREADS;
        });
        Await.until("no caller waits", () -> {
            impatient.settle(in(Duration.ofDays(1)));
            return true;
        });
        for (int i = 0; i < BACKLOG; i++) {
            impatient.submit(counts());
        }
        assertFalse(impatient.help(), "the caller would hang as well");
        assertEquals(0, done.get());
        assertEquals(MOST_THREADS, reapers(others).size());
        assertTrue(impatient.hanging().endsWith(", as have 3 more; 272 wait behind it"), impatient.hanging());
        goOn.countDown();
        Await.until("all work ends", () -> done.get() == 20 + BACKLOG);
    }

    @Test
    void a_thread_that_returns_from_a_hang_leaves_the_work_to_the_other() {
        Reaper impatient = reaper(Duration.ofMillis(1));
        for (int i = 1; i <= 300; i++) {
            int wanted = i;
            long micros = 500 + 5 * i;
            impatient.submit(Piece.of(() -> LockSupport.parkNanos(micros * 1000))); // about as long as the patience
            impatient.submit(counts());
            Await.until("the work is done", () -> {
                impatient.help();
                return done.get() == wanted;
            });
        }
        Await.until("one thread at most is left", () -> reapers(others).size() <= 1);
    }

    @Test
    void a_stop_does_not_wait_for_hanging_work_and_the_work_behind_it_is_done() {
        Reaper impatient = reaper(Duration.ofMillis(200));
        hang(impatient);
        impatient.submit(counts());
        end(impatient);
        assertEquals(1, done.get());
        assertTrue(impatient.hangs());
    }

    @Test
    void a_stop_with_only_hanging_work_left_is_logged() {
        Reaper impatient = reaper(Duration.ofMillis(50));
        for (int i = 0; i < 10; i++) {
            hangLater(impatient);
        }
        RecordedLog.clear();
        end(impatient);
        assertEquals(
                "WARN stopped before 6 mappings and buffers of heap 'camera' were released, because its code hangs",
                RecordedLog.lines().getLast());
    }

    private void hangLater(Reaper reaper) {
        reaper.submit(Piece.of(() -> await(goOn)));
    }

    @Test
    void a_settling_caller_does_no_work_itself() {
        AtomicReference<Thread> by = new AtomicReference<>();
        hang(reaper);
        reaper.submit(Piece.of(() -> by.set(Thread.currentThread())));
        Thread waits = Thread.ofPlatform().daemon().start(() -> reaper.settle(in(Duration.ofSeconds(30))));
        Await.until("it waits", () -> waits.getState() == Thread.State.TIMED_WAITING);
        assertNull(by.get());
        goOn.countDown();
        Await.until("it has waited", () -> !waits.isAlive());
        assertNotEquals(waits, by.get());
        assertEquals(2, reaper.done());
    }

    /** Work that a helping client has taken out of the queue is not done yet. */
    @Test
    void a_settling_caller_waits_for_the_work_of_another_thread() {
        Reaper idle = idle();
        for (int i = 0; i <= BACKLOG; i++) {
            idle.submit(i == 0 ? Piece.of(() -> await(goOn)) : counts());
        }
        Thread helps = Thread.ofPlatform().daemon().start(idle::help);
        Await.until("it works on the first piece", () -> helps.getState() == Thread.State.TIMED_WAITING);
        idle.drain();
        assertEquals(BACKLOG, done.get());
        Thread waits = Thread.ofPlatform().daemon().start(() -> {
            idle.settle(in(Duration.ofSeconds(30)));
            done.set((int) idle.done());
        });
        Await.until("it waits", () -> waits.getState() == Thread.State.TIMED_WAITING);
        goOn.countDown();
        Await.until("it has waited", () -> !waits.isAlive());
        assertEquals(BACKLOG + 1, done.get());
    }

    @Test
    void a_settling_caller_waits_no_longer_than_its_deadline() {
        for (int i = 0; i < 1000; i++) {
            reaper.submit(Piece.of(() -> LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5))));
        }
        reaper.settle(in(Duration.ofMillis(100)));
        assertTrue(reaper.done() < 1000);
    }

    @Test
    void the_thread_keeps_no_class_loader_and_no_thread_local_of_the_submitting_thread() {
        InheritableThreadLocal<Object> inherited = new InheritableThreadLocal<>();
        inherited.set(new Object());
        ClassLoader vendors = new ClassLoader() {};
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        Thread.currentThread().setContextClassLoader(vendors);
        try {
            AtomicReference<Object> value = new AtomicReference<>("not asked");
            reaper.submit(Piece.of(() -> value.set(inherited.get())));
            Thread thread = threadOf(reaper);
            assertNull(value.get());
            assertNotEquals(vendors, thread.getContextClassLoader());
        } finally {
            Thread.currentThread().setContextClassLoader(before);
            inherited.remove();
        }
    }
}
