// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLongArray;
import org.dmabuf.heap.Errno;

/** Counters of failed requests by cause. Any thread may count. */
public final class FailureCounts {
    private static final Errno[] CAUSES = Errno.values();

    private final AtomicLongArray counts = new AtomicLongArray(CAUSES.length);

    public void count(Errno cause) {
        counts.incrementAndGet(cause.ordinal());
    }

    /** {@return the causes that occurred, each with its count} */
    public Map<Errno, Long> byCause() {
        Map<Errno, Long> occurred = new EnumMap<>(Errno.class);
        for (Errno cause : CAUSES) {
            long count = counts.get(cause.ordinal());
            if (count > 0) {
                occurred.put(cause, count);
            }
        }
        return occurred;
    }
}
