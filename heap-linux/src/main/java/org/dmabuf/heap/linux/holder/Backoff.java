// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

/**
 * How often the kernel is asked about what it does not tell by itself: a holder that has stayed for long is asked
 * after less often, so that it is seen to go within the time that it held on. Guarded by its {@link HolderTable}.
 */
final class Backoff {
    private static final long FIRST_NANOS = 50_000_000;
    private static final long LONGEST_NANOS = 2_000_000_000;

    private long interval = FIRST_NANOS;
    private long due;

    /** Begins anew: somebody has begun to wait. */
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
