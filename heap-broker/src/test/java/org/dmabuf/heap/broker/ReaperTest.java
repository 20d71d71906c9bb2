// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class ReaperTest {
    /** More work than this and those who map help. */
    private static final int BACKLOG = 256;

    private final Reaper reaper = new Reaper();
    private final AtomicInteger done = new AtomicInteger();

    private static Thread threadOf(Reaper reaper) {
        AtomicReference<Thread> thread = new AtomicReference<>();
        reaper.submit(() -> thread.set(Thread.currentThread()));
        Await.until("the reaper works", () -> thread.get() != null);
        return thread.get();
    }

    @Test
    void work_is_done_by_a_daemon_thread_of_its_own() {
        reaper.start();
        Thread thread = threadOf(reaper);
        assertNotEquals(Thread.currentThread(), thread);
        assertEquals("dmaheap-reaper", thread.getName());
        assertTrue(thread.isDaemon());
        reaper.stop();
        assertFalse(thread.isAlive());
    }

    @Test
    void a_thread_that_sleeps_is_woken_for_each_piece_of_work() {
        reaper.start();
        Thread thread = threadOf(reaper);
        for (int i = 1; i <= 100; i++) {
            int wanted = i;
            Await.until("the reaper sleeps", () -> thread.getState() == Thread.State.WAITING);
            reaper.submit(done::incrementAndGet);
            Await.until("the work is done", () -> done.get() == wanted);
        }
        reaper.stop();
    }

    @Test
    void work_that_comes_as_the_thread_goes_to_sleep_wakes_it() {
        reaper.start();
        for (int i = 1; i <= 50_000; i++) {
            reaper.submit(done::incrementAndGet);
            for (int spins = 0; spins < 10_000 && done.get() < i; spins++) {
                Thread.onSpinWait();
            }
            if (done.get() < i) {
                int wanted = i;
                Await.until("the work is done", () -> done.get() >= wanted);
            }
        }
        reaper.stop();
    }

    @Test
    void what_was_handed_over_before_the_start_is_done_after_it() {
        reaper.submit(done::incrementAndGet);
        assertEquals(0, done.get());
        reaper.start();
        Await.until("the work is done", () -> done.get() == 1);
        reaper.stop();
    }

    @Test
    void stop_leaves_no_work_undone_and_no_thread() {
        reaper.start();
        Thread thread = threadOf(reaper);
        for (int i = 0; i < 1000; i++) {
            reaper.submit(done::incrementAndGet);
        }
        reaper.stop();
        assertEquals(1000, done.get());
        assertFalse(thread.isAlive());
        reaper.stop(); // twice is once
    }

    @Test
    void after_the_stop_work_is_done_where_it_arises() {
        reaper.start();
        reaper.stop();
        AtomicReference<Thread> thread = new AtomicReference<>();
        reaper.submit(() -> thread.set(Thread.currentThread()));
        assertSame(Thread.currentThread(), thread.get());
    }

    @Test
    void a_stop_from_its_own_thread_does_not_wait_for_itself() {
        reaper.start();
        CountDownLatch returned = new CountDownLatch(1);
        reaper.submit(() -> {
            reaper.stop();
            returned.countDown();
        });
        Await.until("stop returns", () -> returned.getCount() == 0);
    }

    @Test
    void an_interrupted_stop_still_waits_and_stays_interrupted() {
        reaper.start();
        Thread thread = threadOf(reaper);
        CountDownLatch go = new CountDownLatch(1);
        reaper.submit(() -> {
            try {
                go.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            done.incrementAndGet();
        });
        Thread.ofPlatform().start(() -> {
            Await.until("the reaper is at work", () -> thread.getState() == Thread.State.WAITING);
            go.countDown();
        });
        Thread.currentThread().interrupt();
        reaper.stop();
        assertTrue(Thread.interrupted());
        assertEquals(1, done.get());
        assertFalse(thread.isAlive());
    }

    @Test
    void a_stop_before_any_start_does_the_work() {
        reaper.submit(done::incrementAndGet);
        reaper.stop();
        assertEquals(1, done.get());
    }

    @Test
    void drain_does_all_the_work_at_once() {
        for (int i = 0; i < 10; i++) {
            reaper.submit(done::incrementAndGet);
        }
        reaper.drain();
        assertEquals(10, done.get());
    }

    @Test
    void nobody_helps_while_there_is_little_to_do() {
        for (int i = 0; i < BACKLOG; i++) {
            reaper.submit(done::incrementAndGet);
        }
        reaper.help();
        assertEquals(0, done.get());
    }

    @Test
    void who_helps_does_two_pieces_of_work_and_no_more() {
        for (int i = 0; i < BACKLOG + 10; i++) {
            reaper.submit(done::incrementAndGet);
        }
        reaper.help();
        assertEquals(2, done.get());
        for (int i = 0; i < 100; i++) {
            reaper.help();
        }
        assertEquals(10, done.get());
        reaper.drain();
        assertEquals(BACKLOG + 10, done.get());
        for (int i = 0; i < BACKLOG; i++) {
            reaper.submit(done::incrementAndGet);
        }
        reaper.help();
        assertEquals(BACKLOG + 10, done.get(), "what is done no longer counts");
    }

    @Test
    void who_maps_and_unmaps_without_a_pause_leaves_no_more_than_the_backlog() {
        for (int made = 1; made <= 100_000; made++) {
            reaper.help();
            reaper.submit(done::incrementAndGet);
            int waiting = made - done.get();
            assertTrue(waiting <= BACKLOG + 1, () -> waiting + " wait");
        }
    }

    @Test
    void work_handed_over_while_it_stops_is_not_lost() {
        class Round {
            final Reaper reaper = new Reaper();
            final AtomicInteger submitted = new AtomicInteger();
            final AtomicInteger done = new AtomicInteger();
            volatile boolean stopped;
        }
        Round[] now = new Round[1];
        Race.Part submits = round -> {
            boolean last;
            do {
                last = now[0].stopped;
                now[0].reaper.submit(now[0].done::incrementAndGet);
                now[0].submitted.incrementAndGet();
            } while (!last);
        };
        new Race()
                .before(round -> {
                    now[0] = new Round();
                    now[0].reaper.start();
                })
                .with(submits)
                .with(submits)
                .with(round -> {
                    Race.awaitSome(now[0].submitted);
                    now[0].reaper.stop();
                    now[0].stopped = true;
                })
                .after(round -> assertEquals(now[0].submitted.get(), now[0].done.get()))
                .run(1000);
    }

    private static void hang(CountDownLatch goOn) {
        try {
            goOn.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Work with a name. */
    private record Named(String name, Runnable work) implements Runnable {
        @Override
        public void run() {
            work.run();
        }

        @Override
        public String toString() {
            return name;
        }
    }

    @Test
    void work_that_throws_is_logged_and_ends_no_thread() {
        reaper.start();
        Thread thread = threadOf(reaper);
        RecordedLog.clear();
        reaper.submit(new Named("the work", () -> {
            throw new NoClassDefFoundError("org/example/Gone");
        }));
        reaper.submit(done::incrementAndGet);
        Await.until("the next work is done", () -> done.get() == 1);
        assertSame(thread, threadOf(reaper));
        assertEquals(
                List.of("ERROR the work failed <java.lang.NoClassDefFoundError: org/example/Gone>"),
                RecordedLog.lines());
        reaper.stop();
        reaper.submit(() -> {
            throw new IllegalStateException("after the stop, too");
        });
    }

    @Test
    void work_that_hangs_does_not_hold_the_stop_and_what_is_behind_it_is_done() {
        Reaper impatient = new Reaper(Duration.ofSeconds(1)); // twice that is all the time that a stop has
        impatient.start();
        Thread hanging = threadOf(impatient);
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        RecordedLog.clear();
        impatient.submit(new Named("the work", () -> {
            begun.countDown();
            hang(goOn);
        }));
        impatient.submit(done::incrementAndGet);
        Await.until("it hangs", () -> begun.getCount() == 0);
        impatient.stop();
        assertTrue(RecordedLog.lines().toString().contains("WARN the work hangs for 1000 ms"));
        Await.until("the rest is done", () -> done.get() == 1);
        assertTrue(hanging.isAlive());
        impatient.submit(done::incrementAndGet);
        assertEquals(2, done.get());
        goOn.countDown();
        Await.until("the thread ends", () -> !hanging.isAlive());
    }

    @Test
    void when_all_that_is_left_hangs_the_stop_says_so_and_returns() {
        Reaper impatient = new Reaper(Duration.ofMillis(50));
        impatient.start();
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        RecordedLog.clear();
        for (int i = 0; i < 10; i++) {
            impatient.submit(() -> {
                begun.countDown();
                hang(goOn);
                done.incrementAndGet();
            });
        }
        Await.until("the first hangs", () -> begun.getCount() == 0);
        impatient.stop();
        assertTrue(RecordedLog.lines().getLast().matches("WARN stopped with [4-9] ends of mappings and buffers .*"),
                () -> RecordedLog.lines().toString());
        goOn.countDown();
        Await.until("all comes to its end", () -> done.get() == 10);
    }

    @Test
    void who_waits_for_work_waits_until_it_is_done() {
        reaper.start();
        Thread thread = threadOf(reaper);
        AtomicReference<Thread> by = new AtomicReference<>();
        reaper.await(() -> by.set(Thread.currentThread()));
        assertSame(thread, by.get());
        reaper.await(() -> reaper.await(() -> by.set(null))); // its own thread does not wait for itself
        assertNull(by.get());
        Thread.currentThread().interrupt();
        reaper.await(done::incrementAndGet);
        assertTrue(Thread.interrupted());
        assertEquals(1, done.get());
        reaper.stop();
        reaper.await(done::incrementAndGet);
        assertEquals(2, done.get());
    }

    @Test
    void who_waits_for_all_that_is_there_does_none_of_it_and_counts_as_no_work() {
        reaper.start();
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        reaper.submit(() -> {
            begun.countDown();
            hang(goOn);
        });
        Await.until("it works", () -> begun.getCount() == 0);
        AtomicReference<Thread> by = new AtomicReference<>();
        reaper.submit(() -> by.set(Thread.currentThread()));
        AtomicLong told = new AtomicLong();
        Thread waits = Thread.ofPlatform().daemon().start(() -> told.set(reaper.settle()));
        Await.until("it waits", () -> waits.getState() == Thread.State.TIMED_WAITING);
        assertNull(by.get());
        goOn.countDown();
        Await.until("it has waited", () -> !waits.isAlive());
        assertNotEquals(waits, by.get());
        assertEquals(2, told.get());
        assertEquals(2, reaper.settle());
        reaper.stop();
    }

    @Test
    void who_waits_for_all_that_is_there_waits_no_longer_than_one_patience_however_slow_it_is() {
        Reaper impatient = new Reaper(Duration.ofMillis(300));
        impatient.start();
        for (int i = 0; i < 30; i++) { // each within the patience, together for ten
            impatient.submit(() -> LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100)));
        }
        assertTrue(impatient.settle() < 30);
        impatient.stop();
    }

    @Test
    void work_behind_work_that_hangs_is_done_by_another_thread() {
        Reaper impatient = new Reaper(Duration.ofSeconds(1)); // so that work for which no processor is free hangs not
        impatient.start();
        Thread hangs = threadOf(impatient);
        CountDownLatch goOn = new CountDownLatch(1);
        RecordedLog.clear();
        impatient.await(new Named("the work", () -> hang(goOn)));
        impatient.await(done::incrementAndGet);
        Await.until("the work behind it is done", () -> done.get() == 1);
        assertNotEquals(hangs, threadOf(impatient));
        assertEquals(1, RecordedLog.lines().size(), () -> RecordedLog.lines().toString());
        goOn.countDown();
        Await.until("who hung ends", () -> !hangs.isAlive());
        impatient.await(done::incrementAndGet);
        assertEquals(2, done.get());
        impatient.stop();
    }

    @Test
    void who_hands_over_or_maps_sees_to_what_is_behind_work_that_hangs() {
        for (boolean maps : new boolean[] {false, true}) {
            Reaper impatient = new Reaper(Duration.ofMillis(50));
            impatient.start();
            done.set(0);
            CountDownLatch goOn = new CountDownLatch(1);
            CountDownLatch begun = new CountDownLatch(1);
            impatient.submit(() -> {
                begun.countDown();
                hang(goOn);
            });
            Await.until("it hangs", () -> begun.getCount() == 0);
            impatient.submit(done::incrementAndGet);
            Await.until("another does it", () -> {
                if (maps) {
                    impatient.help();
                } else {
                    impatient.submit(() -> {});
                }
                return done.get() == 1;
            });
            goOn.countDown();
            impatient.stop();
        }
    }

    @Test
    void who_comes_back_after_it_was_taken_to_hang_leaves_the_work_to_the_other() {
        Set<Thread> others = reapers(Set.of());
        Reaper impatient = new Reaper(Duration.ofMillis(1));
        impatient.start();
        for (int i = 1; i <= 300; i++) {
            int wanted = i;
            long micros = 500 + 5 * i;
            impatient.submit(() -> LockSupport.parkNanos(micros * 1000)); // about as long as the patience
            impatient.submit(done::incrementAndGet);
            Await.until("the work is done", () -> {
                impatient.help();
                return done.get() == wanted;
            });
        }
        Await.until("one thread is left", () -> reapers(others).size() == 1);
        impatient.stop();
        Await.until("none is left", () -> reapers(others).isEmpty());
    }

    /** {@return the threads of reapers, but for those that other tests had: one may still be on its way out} */
    private static Set<Thread> reapers(Set<Thread> others) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.isAlive() && thread.getName().equals("dmaheap-reaper"))
                .filter(thread -> !others.contains(thread))
                .collect(Collectors.toSet());
    }

    /** A heap of which everything hangs takes some threads, and holds who stops a bundle for one patience. */
    @Test
    void a_heap_of_which_everything_hangs_takes_no_more_than_some_threads() {
        Set<Thread> others = reapers(Set.of());
        Reaper impatient = new Reaper(Duration.ofMillis(20));
        impatient.start();
        CountDownLatch goOn = new CountDownLatch(1);
        for (int i = 0; i < 30; i++) {
            impatient.await(() -> {
                hang(goOn);
                done.incrementAndGet();
            });
        }
        Await.until("8 hang, and one that hangs as well but is not replaced", () -> {
            impatient.help();
            assertTrue(reapers(others).size() <= 9);
            return reapers(others).size() == 9;
        });
        for (int i = 0; i < 20; i++) {
            impatient.await(done::incrementAndGet); // behind all that
            assertEquals(9, reapers(others).size());
        }
        goOn.countDown();
        Await.until("all comes to its end", () -> done.get() == 50);
        impatient.stop();
        Await.until("none is left", () -> reapers(others).isEmpty());
    }

    @Test
    void the_thread_keeps_no_class_loader_and_no_value_of_the_one_that_made_it() {
        InheritableThreadLocal<Object> inherited = new InheritableThreadLocal<>();
        inherited.set(new Object());
        ClassLoader vendors = new ClassLoader() {};
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        Thread.currentThread().setContextClassLoader(vendors);
        try {
            Reaper made = new Reaper();
            made.start();
            AtomicReference<Object> value = new AtomicReference<>("not asked");
            made.submit(() -> value.set(inherited.get()));
            Thread thread = threadOf(made);
            assertNull(value.get());
            assertNotEquals(vendors, thread.getContextClassLoader());
            made.stop();
        } finally {
            Thread.currentThread().setContextClassLoader(before);
            inherited.remove();
        }
    }
}
