// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.concurrent.locks.LockSupport;

/**
 * Clock with a precision of two seconds, for timestamps that are written far more often than read. Reading the real
 * clock takes a quarter of the time that the broker adds to an allocation. A thread updates the time once a second
 * while the clock is read, and sleeps otherwise. Before the start and after the stop of the thread the time is exact.
 */
final class CoarseClock {
    private static final long TICK_NANOS = 1_000_000_000;

    private final Thread thread = Thread.ofPlatform()
            .name("dmaheap-clock")
            .daemon()
            .inheritInheritableThreadLocals(false)
            .unstarted(this::run);

    private volatile long now;
    private volatile boolean ticking;
    private volatile boolean looked;
    private volatile boolean stopped;

    void start() {
        thread.start();
    }

    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
    }

    /** {@return a time of {@link System#nanoTime}, in nanoseconds, that is up to two seconds old} */
    long now() {
        if (!looked) {
            looked = true;
        }
        if (ticking) {
            return now;
        }
        LockSupport.unpark(thread);
        return System.nanoTime();
    }

    private void run() {
        while (!stopped) {
            looked = false;
            now = System.nanoTime();
            ticking = true;
            LockSupport.parkNanos(this, TICK_NANOS);
            if (!looked) {
                ticking = false;
                if (!looked && !stopped) { // a later reader sees that it does not tick, and wakes it
                    LockSupport.park(this);
                }
            }
        }
        ticking = false;
    }
}
