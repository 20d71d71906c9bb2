// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class DurationHistogramTest {
    @Test
    void the_bounds_go_from_a_microsecond_to_ten_seconds() {
        List<Duration> bounds = DurationHistogram.bounds();
        assertEquals(List.of(Duration.ofNanos(1_000), Duration.ofNanos(5_000)), bounds.subList(0, 2));
        assertEquals(List.of(Duration.ofSeconds(5), Duration.ofSeconds(10)), bounds.subList(13, 15));
    }

    @Test
    void a_duration_equal_to_a_bound_is_in_the_interval_below_it() {
        assertEquals(0, DurationHistogram.interval(0));
        assertEquals(0, DurationHistogram.interval(1_000));
        assertEquals(1, DurationHistogram.interval(1_001));
        assertEquals(14, DurationHistogram.interval(10_000_000_000L));
        assertEquals(15, DurationHistogram.interval(10_000_000_001L));
    }

    @Test
    void it_keeps_its_counts_when_the_caller_changes_the_array() {
        long[] counts = new long[16];
        counts[3] = 2;
        DurationHistogram histogram = DurationHistogram.of(counts, Duration.ofMillis(1));
        counts[3] = 5;
        assertEquals(2, histogram.count());
        assertEquals(2L, histogram.counts().get(3));
        assertEquals(Duration.ofMillis(1), histogram.total());
    }

    @Test
    void a_sum_has_the_durations_of_both() {
        long[] counts = new long[16];
        counts[3] = 2;
        DurationHistogram one = DurationHistogram.of(counts, Duration.ofMillis(1));
        DurationHistogram both = one.plus(one);
        assertEquals(4L, both.counts().get(3));
        assertEquals(Duration.ofMillis(2), both.total());
        assertEquals(2, one.count());
    }

    @Test
    void another_number_of_intervals_is_refused() {
        assertThrows(IllegalArgumentException.class, () -> DurationHistogram.of(new long[15], Duration.ZERO));
    }
}
