// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class UnbackedRangesTest {
    private static final long HOUR = TimeUnit.HOURS.toNanos(1);

    private final UnbackedRanges ranges = new UnbackedRanges();

    @Test
    void a_buffer_gets_the_latest_range_of_exactly_its_size() {
        ranges.add(0, 10);
        ranges.add(10, 20);
        ranges.add(30, 10);
        assertEquals(-1, ranges.take(15));
        assertEquals(30, ranges.take(10));
        assertEquals(0, ranges.take(10));
        assertEquals(-1, ranges.take(10));
        assertEquals(1, ranges.count());
    }

    @Test
    void the_longest_waiting_range_is_first_and_only_after_the_minimum_age() {
        assertEquals(Long.MAX_VALUE, ranges.dueIn(0));
        ranges.add(30, 10);
        ranges.add(0, 20);
        assertNull(ranges.takeOldest(HOUR));
        assertTrue(ranges.dueIn(HOUR) > 0);
        assertEquals(30, ranges.takeOldest(0).offset());
        assertEquals(0, ranges.takeOldest(0).offset());
        assertNull(ranges.takeOldest(0));
    }
}
