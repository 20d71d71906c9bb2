// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.linux.daemon.QuietLog;

/**
 * Queue of due callbacks: those whose memory has lost its last holder, in the order of detection. It also counts the
 * threads that run them. No step that can fail lies between the detection and the callback. Guarded by the lock of its
 * {@link HolderTable}, under which no callback runs.
 */
final class DueCallbacks {
    private static final QuietLog LOG = new QuietLog(DueCallbacks.class);

    /** How long a thread waits for callbacks in other threads, which are short. */
    private static final long OTHERS_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private final Object lock;
    private final Runnable left;
    /** Oldest callback that has not begun, linked through {@link HolderWatch#nextDue}. */
    private HolderWatch first;

    private HolderWatch last;
    /** Number of threads that run callbacks now. */
    private int running;

    /** Number of callbacks that have run. Written under the lock. */
    private volatile long run;

    /**
     * @param lock the table's
     * @param left called under the lock when a thread has failed and callbacks are left that no thread runs
     */
    DueCallbacks(Object lock, Runnable left) {
        this.lock = lock;
        this.left = left;
    }

    /** Adds a callback. Called under the lock. Does not allocate and therefore cannot fail. */
    void add(HolderWatch watch) {
        watch.due = true;
        if (first == null) {
            first = watch;
        } else {
            last.nextDue = watch;
        }
        last = watch;
    }

    /** {@return whether callbacks are due; they stay due for long only if a thread that ran them failed} */
    boolean areLeft() {
        return first != null;
    }

    /** Counts the caller among the threads that run callbacks, until it has called {@link #runAll}. */
    void enter() {
        running++;
    }

    /** Runs all due callbacks. Called without the lock, after {@link #enter}. */
    void runAll() {
        try {
            for (HolderWatch watch = next(); watch != null; watch = next()) {
                run(watch);
            }
        } finally {
            synchronized (lock) {
                running--;
                lock.notifyAll();
                if (running == 0 && areLeft()) {
                    left.run();
                }
            }
        }
    }

    private HolderWatch next() {
        synchronized (lock) {
            while (first != null) {
                HolderWatch watch = first;
                first = watch.nextDue;
                watch.nextDue = null;
                if (watch.due && !watch.dropped) {
                    watch.due = false;
                    return watch;
                }
            }
            return null;
        }
    }

    /** Runs a callback that no other thread runs. Called without the lock. */
    void run(HolderWatch watch) {
        try {
            watch.callback.run();
        } catch (Throwable e) { // the thread must go on, because other callbacks wait
            LOG.error("the callback after the last holder's release failed", e);
        } finally {
            synchronized (lock) {
                run++;
            }
        }
    }

    /** {@return number of callbacks that have run} */
    long count() {
        return run;
    }

    /** Waits until no thread runs callbacks, up to a limit. Called without the lock. */
    void awaitOthers() {
        long deadline = System.nanoTime() + OTHERS_NANOS;
        synchronized (lock) {
            try {
                long left;
                while (running > 0 && (left = deadline - System.nanoTime()) > 0) {
                    lock.wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
