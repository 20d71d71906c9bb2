// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
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
            watch.add(failing);
            watch.add(runs::countDown);
            try {
                assertTrue(runs.await(60, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            } finally {
                watch.remove(failing);
            }
        });
        assertEquals(List.of("reading the facts of a heap failed; they are read again"), lines);
    }
}
