// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class BackoffTest {
    private static final long MILLI = 1_000_000;

    private final Backoff backoff = new Backoff();

    @Test
    void intervals_double_up_to_two_seconds_and_restart_with_the_next_wait() {
        for (int again = 0; again < 2; again++) {
            long now = Long.MAX_VALUE - MILLI; // the clock may overflow
            backoff.from(now);
            for (long millis : new long[] {50, 100, 200, 400, 800, 1600, 2000, 2000}) {
                assertEquals(millis * MILLI, backoff.dueIn(now));
                assertFalse(backoff.isDue(now + millis * MILLI - 1));
                now += millis * MILLI;
                assertTrue(backoff.isDue(now));
                assertFalse(backoff.isDue(now), "it was asked just now");
            }
        }
    }

    @Test
    void a_late_query_begins_the_next_interval() {
        backoff.from(0);
        assertTrue(backoff.isDue(1000 * MILLI));
        assertEquals(100 * MILLI, backoff.dueIn(1000 * MILLI));
    }
}
