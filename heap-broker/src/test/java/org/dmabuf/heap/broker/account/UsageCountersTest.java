// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class UsageCountersTest {
    private final UsageCounters counters = new UsageCounters();

    @Test
    void reservations_and_charges_count_against_the_limit() {
        counters.limit = 100;
        counters.reserve(30);
        counters.charge(50);
        assertEquals(80, counters.used());
        assertTrue(counters.fits(20));
        assertFalse(counters.fits(21));
        counters.linger(50);
        assertFalse(counters.fits(21), "peers hold it");
        counters.unreserve(30);
        counters.uncharge(50, true);
        assertTrue(counters.fits(100));
        assertEquals(UsageSnapshot.NONE.liveBytes(), counters.used());
    }

    @Test
    void without_a_limit_no_sum_overflows() {
        assertFalse(counters.limited());
        counters.charge(Long.MAX_VALUE - 1);
        assertTrue(counters.fits(1));
        assertFalse(counters.fits(2));
        assertFalse(counters.fits(Long.MAX_VALUE));
    }

    @Test
    void above_a_lowered_limit_every_charge_is_refused() {
        counters.charge(50);
        counters.limit = 40;
        assertTrue(counters.limited());
        assertFalse(counters.fits(1));
        counters.uncharge(50, false);
        assertTrue(counters.fits(40));
    }

    @Test
    void figures_distinguish_live_and_lingering_buffers() {
        counters.limit = 1000;
        counters.reserve(500); // a reservation is not a peak
        counters.charge(100);
        counters.charge(10);
        counters.charge(1);
        counters.linger(10);
        assertEquals(new UsageSnapshot(2, 101, 1, 10, 111, 1000, 3, 111), counters.snapshot());
        assertEquals(3, counters.buffers());
        assertEquals(111, counters.bytes());
        counters.uncharge(10, true);
        counters.uncharge(1, false);
        assertEquals(new UsageSnapshot(1, 100, 0, 0, 111, 1000, 3, 111), counters.snapshot());
        assertEquals(111, counters.restartPeak());
        assertEquals(100, counters.snapshot().peakBytes());
    }
}
