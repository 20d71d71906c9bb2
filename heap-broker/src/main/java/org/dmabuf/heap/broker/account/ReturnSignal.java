// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.concurrent.TimeUnit;

/**
 * Signal that charged memory has come back, for requests that wait for other holders. While no request waits, a signal
 * costs the read of a field. Any thread may call any method.
 */
public final class ReturnSignal {
    /** A waiter looks again after this long without a signal: memory of other processes comes back without one. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /**
     * A waiter looks no sooner than after this long: what one that fails gives back wakes the others, and it would have
     * them allocate and release in turn without a pause.
     */
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private volatile int waiters;
    /** Guarded by this. */
    private long returns;

    /** Reports that memory has come back, or that a limit was raised. */
    void signal() {
        if (waiters > 0) {
            synchronized (this) {
                returns++;
                notifyAll();
            }
        }
    }

    /**
     * Has returns counted from now on, until {@link #end}.
     *
     * @return a moment, for {@link #await}
     */
    public synchronized long begin() {
        waiters++;
        return returns;
    }

    /** Ends what {@link #begin} began. */
    public synchronized void end() {
        waiters--;
    }

    /** {@return the moment of this call, for another {@link #await}} */
    public synchronized long moment() {
        return returns;
    }

    /**
     * Waits until memory has come back since a moment, or may have come back unseen.
     *
     * @param since a moment
     * @param deadline when it stops waiting, a time of {@link System#nanoTime}
     * @throws InterruptedException when the thread is interrupted
     */
    public synchronized void await(long since, long deadline) throws InterruptedException {
        long now = System.nanoTime();
        long most = deadline - now;
        long look = now + Math.min(most, LOOK_NANOS);
        long soonest = now + Math.min(most, PAUSE_NANOS);
        while (true) {
            long left = (returns == since ? look : soonest) - System.nanoTime();
            if (left <= 0) {
                return;
            }
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
    }
}
