// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

class DaemonLoopTest {
    private static final long NO_PAUSE = 1;

    private final AtomicInteger steps = new AtomicInteger();

    @Test
    void a_thread_continues_until_the_last_step() throws InterruptedException {
        run(() -> steps.incrementAndGet() < 3);
        assertEquals(3, steps.get());
    }

    @Test
    void another_step_follows_whatever_a_step_throws() throws InterruptedException {
        run(() -> switch (steps.incrementAndGet()) {
            case 1 -> throw new OutOfMemoryError("thrown by the test");
            case 2 -> throw new IllegalStateException("thrown by the test");
            case 3 -> throw new StackOverflowError();
            default -> false;
        });
        assertEquals(4, steps.get());
    }

    @Test
    void a_series_of_failures_is_logged_once_and_the_next_series_again() throws InterruptedException {
        try (FailingLog log = new FailingLog(DaemonLoop.class, false)) {
            run(() -> switch (steps.incrementAndGet()) {
                case 1, 2, 4, 5 -> throw new IllegalStateException("thrown by the test");
                case 3 -> true;
                default -> false;
            });
            assertEquals(2, log.records());
        }
    }

    @Test
    void a_log_that_throws_ends_no_thread() throws InterruptedException {
        try (FailingLog log = new FailingLog(DaemonLoop.class, true)) {
            run(() -> {
                if (steps.incrementAndGet() == 1) {
                    throw new IllegalStateException("thrown by the test");
                }
                return false;
            });
            assertEquals(1, log.records());
        }
        assertEquals(2, steps.get());
    }

    @Test
    void a_pause_ends_when_the_thread_is_unparked() throws InterruptedException {
        Thread thread = DaemonLoop.thread("daemon-loop-test", "a step failed", Long.MAX_VALUE, () -> {
            if (steps.incrementAndGet() == 1) {
                throw new IllegalStateException("thrown by the test");
            }
            return false;
        });
        thread.start();
        long end = System.nanoTime() + 30_000_000_000L;
        while (thread.isAlive() && System.nanoTime() < end) {
            LockSupport.unpark(thread);
            thread.join(1);
        }
        assertFalse(thread.isAlive());
    }

    private static void run(BooleanSupplier step) throws InterruptedException {
        Thread thread = DaemonLoop.thread("daemon-loop-test", "a step failed", NO_PAUSE, step);
        assertTrue(thread.isDaemon());
        thread.start();
        thread.join(30_000);
        assertFalse(thread.isAlive());
    }
}
