// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class UsageCountersTest {
    private final UsageCounters tally = new UsageCounters();

    @Test
    void what_is_reserved_and_what_is_charged_count_against_the_limit() {
        tally.limit = 100;
        tally.reserve(30);
        tally.charge(50);
        assertEquals(80, tally.used());
        assertTrue(tally.fits(20));
        assertFalse(tally.fits(21));
        tally.linger(50);
        assertFalse(tally.fits(21), "peers hold it");
        tally.unreserve(30);
        tally.uncharge(50, true);
        assertTrue(tally.fits(100));
        assertEquals(UsageSnapshot.NONE.liveBytes(), tally.used());
    }

    @Test
    void no_sum_overflows_where_there_is_no_limit() {
        assertFalse(tally.limited());
        tally.charge(Long.MAX_VALUE - 1);
        assertTrue(tally.fits(1));
        assertFalse(tally.fits(2));
        assertFalse(tally.fits(Long.MAX_VALUE));
    }

    @Test
    void beyond_a_limit_that_was_lowered_nothing_fits() {
        tally.charge(50);
        tally.limit = 40;
        assertTrue(tally.limited());
        assertFalse(tally.fits(1));
        tally.uncharge(50, false);
        assertTrue(tally.fits(40));
    }

    @Test
    void figures_tell_what_is_live_from_what_lingers() {
        tally.limit = 1000;
        tally.reserve(500); // which is no peak
        tally.charge(100);
        tally.charge(10);
        tally.charge(1);
        tally.linger(10);
        assertEquals(new UsageSnapshot(2, 101, 1, 10, 111, 1000), tally.figures());
        assertEquals(3, tally.buffers());
        assertEquals(111, tally.bytes());
        tally.uncharge(10, true);
        tally.uncharge(1, false);
        assertEquals(new UsageSnapshot(1, 100, 0, 0, 111, 1000), tally.figures());
        tally.resetPeak();
        assertEquals(100, tally.figures().peakBytes());
    }
}
