// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

/**
 * Intervals of polling for memory whose last holder the kernel does not report by itself. Each interval is twice as
 * long as the one before, from 50 ms to 2 s. So a detection is late by at most the time waited before plus 50 ms, and
 * by at most 2 s. Guarded by its {@link HolderTable}.
 */
final class Backoff {
    private static final long FIRST_NANOS = 50_000_000;
    private static final long LONGEST_NANOS = 2_000_000_000;

    private long interval = FIRST_NANOS;
    private long due;

    /** Restarts with the shortest interval, because another watch waits. */
    void from(long now) {
        interval = FIRST_NANOS;
        due = now + interval;
    }

    /** {@return nanoseconds until the next poll, 0 or less when it is due} */
    long dueIn(long now) {
        return due - now;
    }

    /** {@return whether a poll is due; if so, the next interval is longer} */
    boolean isDue(long now) {
        if (dueIn(now) > 0) {
            return false;
        }
        interval = Math.min(2 * interval, LONGEST_NANOS);
        due = now + interval;
        return true;
    }
}
