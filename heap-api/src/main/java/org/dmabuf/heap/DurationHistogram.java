// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.stream.LongStream;

/** Histogram of durations: how many were counted between two bounds, and their sum. Immutable. */
public final class DurationHistogram {
    /** Two bounds for each power of ten, from 1 µs to 10 s, in nanoseconds. */
    private static final long[] BOUNDS = LongStream.iterate(
                    1_000, power -> power <= 10_000_000_000L, power -> power * 10)
            .flatMap(power -> LongStream.of(power, 5 * power))
            .limit(15)
            .toArray();

    private static final DurationHistogram EMPTY = of(new long[BOUNDS.length + 1], Duration.ZERO);

    private final long[] counts;
    private final Duration total;

    private DurationHistogram(long[] counts, Duration total) {
        this.counts = counts;
        this.total = total;
    }

    /** {@return a histogram without durations} */
    public static DurationHistogram empty() {
        return EMPTY;
    }

    /**
     * Makes a histogram, for the broker.
     *
     * @param counts number of durations in each interval, one more than there are bounds
     * @param total sum of the durations
     * @return a histogram with a copy of these counts
     * @throws IllegalArgumentException for another number of intervals
     */
    public static DurationHistogram of(long[] counts, Duration total) {
        if (counts.length != BOUNDS.length + 1) {
            throw new IllegalArgumentException(
                    "invalid counts of " + counts.length + " intervals: expected " + (BOUNDS.length + 1));
        }
        return new DurationHistogram(counts.clone(), Objects.requireNonNull(total));
    }

    /**
     * Adds the durations of another histogram.
     *
     * @param other whose durations are added
     * @return a histogram with the durations of both
     */
    public DurationHistogram plus(DurationHistogram other) {
        long[] sums = counts.clone();
        for (int i = 0; i < sums.length; i++) {
            sums[i] += other.counts[i];
        }
        return new DurationHistogram(sums, total.plus(other.total));
    }

    /** {@return the upper bounds of the intervals, ascending; the last interval has none} */
    public static List<Duration> bounds() {
        return LongStream.of(BOUNDS).mapToObj(Duration::ofNanos).toList();
    }

    /**
     * Finds the interval of a duration without creating an object.
     *
     * @param nanos the duration in nanoseconds
     * @return index in {@link #counts()}; a duration equal to a bound is in the interval below it
     */
    public static int interval(long nanos) {
        int interval = 0;
        while (interval < BOUNDS.length && nanos > BOUNDS[interval]) {
            interval++;
        }
        return interval;
    }

    /** {@return the number of durations in each interval, one more than there are bounds} */
    public List<Long> counts() {
        return LongStream.of(counts).boxed().toList();
    }

    /** {@return the number of durations} */
    public long count() {
        return LongStream.of(counts).sum();
    }

    /** {@return the sum of the durations} */
    public Duration total() {
        return total;
    }

    @Override
    public String toString() {
        return count() + " durations, " + total + " in all";
    }
}
