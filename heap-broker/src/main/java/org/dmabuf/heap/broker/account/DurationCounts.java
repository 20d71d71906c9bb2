// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.dmabuf.heap.DurationHistogram;

/** Counters of durations by interval. Any thread may add a duration, which creates no object and so cannot fail. */
final class DurationCounts {
    private final AtomicLongArray counts =
            new AtomicLongArray(DurationHistogram.bounds().size() + 1);
    private final AtomicLong nanos = new AtomicLong();

    void add(long duration) {
        counts.incrementAndGet(DurationHistogram.interval(duration));
        nanos.addAndGet(duration);
    }

    DurationHistogram histogram() {
        long[] now = new long[counts.length()];
        for (int i = 0; i < now.length; i++) {
            now[i] = counts.get(i);
        }
        return DurationHistogram.of(now, Duration.ofNanos(nanos.get()));
    }
}
