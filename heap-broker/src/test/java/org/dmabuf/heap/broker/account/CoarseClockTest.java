// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.dmabuf.heap.broker.Await;
import org.junit.jupiter.api.Test;

class CoarseClockTest {
    private final CoarseClock clock = new CoarseClock();

    private static Thread.State state() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("dmaheap-clock"))
                .findFirst()
                .map(Thread::getState)
                .orElse(Thread.State.TERMINATED);
    }

    private void assertExact() {
        long before = System.nanoTime();
        long now = clock.now();
        assertTrue(before <= now && now <= System.nanoTime());
    }

    @Test
    void without_its_thread_the_time_is_exact() {
        assertExact();
    }

    @Test
    void the_clock_ticks_while_it_is_read_and_its_thread_rests_otherwise() {
        clock.start();
        long first = clock.now();
        Await.until("it ticks", () -> clock.now() - first > 1_500_000_000L);
        assertTrue(clock.now() <= System.nanoTime());
        Await.until("it rests", () -> state() == Thread.State.WAITING);
        assertExact(); // this call woke the thread
        Await.until("it ticks again", () -> {
            clock.now(); // the thread may rest again before a slow machine has checked
            return state() == Thread.State.TIMED_WAITING;
        });
        clock.stop();
        Await.until("its thread has ended", () -> state() == Thread.State.TERMINATED);
        assertExact();
    }
}
