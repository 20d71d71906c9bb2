// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CountDownLatch;
import org.dmabuf.heap.launcher.Step.Activity;
import org.junit.jupiter.api.Test;

/** Tests of the time limits of the wait for a step. */
class StepTest {
    private static final long INTERVAL = 1000;
    private static final long FOR_EVER = 600_000;

    private final CountDownLatch end = new CountDownLatch(1);

    @Test
    void the_wait_for_a_blocking_step_ends_after_the_least_time() throws InterruptedException {
        Step step = Step.start("slow.jar", Activity.STARTING, _ -> end.await());
        assertFalse(step.awaitWork(INTERVAL, INTERVAL, FOR_EVER));
        end.countDown();
        assertTrue(step.awaitWork(INTERVAL, FOR_EVER, FOR_EVER));
    }

    @Test
    void the_wait_for_a_working_step_is_longer() throws InterruptedException {
        Step step = Step.start("slow.jar", Activity.STARTING, _ -> {
            for (int depth = 1; depth < 40; depth++) {
                sleepAt(depth);
            }
        });
        assertTrue(step.awaitWork(INTERVAL, INTERVAL, FOR_EVER));
    }

    @Test
    void the_wait_for_a_step_that_works_without_end_has_a_limit() throws InterruptedException {
        Step step = Step.start("slow.jar", Activity.STARTING, _ -> {
            for (int depth = 1; end.getCount() > 0; depth++) {
                sleepAt(depth % 100);
            }
        });
        assertFalse(step.awaitWork(INTERVAL, INTERVAL, 3 * INTERVAL));
        end.countDown();
        assertTrue(step.awaitWork(INTERVAL, FOR_EVER, FOR_EVER));
    }

    /** Gives each depth a different stack. */
    private static void sleepAt(int depth) throws InterruptedException {
        if (depth == 0) {
            Thread.sleep(100);
        } else {
            sleepAt(depth - 1);
        }
    }
}
