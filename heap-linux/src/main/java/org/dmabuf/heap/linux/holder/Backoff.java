// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

/**
 * Intervals at which the kernel is asked for holders whose end it does not report by itself. They grow with the time
 * that a holder stays: its end is seen within about the time that it held on. Guarded by its {@link HolderTable}.
 */
final class Backoff {
    private static final long FIRST_NANOS = 50_000_000;
    private static final long LONGEST_NANOS = 2_000_000_000;

    private long interval = FIRST_NANOS;
    private long due;

    /** Begins anew with the shortest interval: one more watch waits. */
    void from(long now) {
        interval = FIRST_NANOS;
        due = now + interval;
    }

    /** {@return nanoseconds until it is time to ask, 0 or less when it is} */
    long dueIn(long now) {
        return due - now;
    }

    /** {@return whether it is time to ask; if so, the next time is later than the last was} */
    boolean isDue(long now) {
        if (dueIn(now) > 0) {
            return false;
        }
        interval = Math.min(2 * interval, LONGEST_NANOS);
        due = now + interval;
        return true;
    }
}
