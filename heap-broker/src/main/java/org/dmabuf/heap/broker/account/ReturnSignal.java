// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.concurrent.TimeUnit;

/**
 * Signal that charged memory was returned, for requests that wait for memory of other holders. While no request
 * waits, a signal costs one read of a field. Any thread may call any method.
 */
public final class ReturnSignal {
    /**
     * The longest wait for a signal before a waiter tries again: memory of other processes is returned without a
     * signal.
     */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /**
     * The shortest time before a waiter tries again. Memory that one waiter returns after a failed attempt signals the
     * other waiters. Without this pause they would allocate and release in turn without end.
     */
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private volatile int waiters;
    /** Guarded by this. */
    private long returns;

    /** Reports that memory was returned, or that a limit was raised. */
    void signal() {
        if (waiters > 0) {
            synchronized (this) {
                returns++;
                notifyAll();
            }
        }
    }

    /**
     * Starts to count signals, until {@link #end}.
     *
     * @return the count of signals so far, for {@link #await}
     */
    public synchronized long begin() {
        waiters++;
        return returns;
    }

    /** Ends what {@link #begin} began. */
    public synchronized void end() {
        waiters--;
    }

    /** {@return the count of signals so far, for another {@link #await}} */
    public synchronized long moment() {
        return returns;
    }

    /**
     * Waits for a signal since a moment, or until memory may have been returned without a signal.
     *
     * @param since a count from {@link #begin} or {@link #moment}
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
