// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.time.Duration;
import org.dmabuf.heap.UsageRecord;

/** Sums of the times that requests waited for memory to be returned. Any thread may add a time. */
public final class WaitTimes {
    // Guarded by this. A lock is cheap enough, because a request that waits is slow anyway.
    private long count;
    private long nanos;
    private long longest;
    private final DurationCounts times = new DurationCounts();

    /** Adds the wait of one request. */
    public synchronized void add(long waited) {
        count++;
        nanos += waited;
        longest = Math.max(longest, waited);
        times.add(waited);
    }

    /** Writes the times into a record. */
    public synchronized UsageRecord.Builder to(UsageRecord.Builder record) {
        return record.waits(count, Duration.ofNanos(nanos), Duration.ofNanos(longest))
                .waitTimes(times.histogram());
    }
}
