// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.Test;

class FactsWatchTest {
    @Test
    void a_renewal_that_fails_is_logged_once_and_does_not_affect_the_next() {
        FactsWatch watch = new FactsWatch(1_000_000);
        CountDownLatch runs = new CountDownLatch(3);
        Runnable failing = () -> {
            throw new AssertionError("thrown by the test");
        };
        List<String> lines = RecordedLog.of(FactsWatch.class, () -> {
            Runnable count = runs::countDown;
            watch.add(failing);
            watch.add(count);
            try {
                await(runs);
            } finally {
                watch.remove(failing);
                watch.remove(count);
            }
        });
        assertEquals(List.of("reading the facts of a heap failed; they are read again"), lines);
    }

    @Test
    void a_renewal_that_hangs_does_not_stop_the_others_and_is_not_run_twice_at_a_time() throws Exception {
        FactsWatch watch = new FactsWatch(1_000_000);
        CountDownLatch hanging = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        AtomicInteger entered = new AtomicInteger();
        CountDownLatch others = new CountDownLatch(3);
        Runnable hangs = () -> {
            entered.incrementAndGet();
            hanging.countDown();
            await(end);
        };
        Runnable works = () -> {
            await(hanging);
            others.countDown();
        };
        watch.add(hangs);
        watch.add(works);
        try {
            await(others);
            assertEquals(1, entered.get());
        } finally {
            end.countDown();
            watch.remove(hangs);
            watch.remove(works);
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(60, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
