// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.linux.daemon.QuietLog;

/**
 * Queue of callbacks whose memory has gone, in the order in which that was seen, with the count of threads that run
 * them. No step that can fail stands between an end and its callback. Guarded by the lock of its {@link HolderTable},
 * under which no callback runs.
 */
final class DueCallbacks {
    private static final QuietLog LOG = new QuietLog(DueCallbacks.class);

    /** How long a thread waits for callbacks that other threads run, which are short. */
    private static final long OTHERS_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private final Object lock;
    /** The oldest of those that have not begun, linked through {@link HolderWatch#nextDue}. */
    private HolderWatch first;

    private HolderWatch last;
    /** Threads that run callbacks now. */
    private int running;

    /** How many callbacks have run. Written under the lock. */
    private volatile long run;

    /** @param lock the table's */
    DueCallbacks(Object lock) {
        this.lock = lock;
    }

    /** Called under the lock. Allocates nothing, and so does not fail. */
    void add(HolderWatch watch) {
        watch.due = true;
        if (first == null) {
            first = watch;
        } else {
            last.nextDue = watch;
        }
        last = watch;
    }

    /** {@return whether callbacks are due; they stay so for long only when a thread that ran them failed} */
    boolean areLeft() {
        return first != null;
    }

    /** Counts the caller among the threads that run callbacks, until it has called {@link #runAll}. */
    void enter() {
        running++;
    }

    /** Runs all that are due. Called without the lock, after {@link #enter}. */
    void runAll() {
        try {
            for (HolderWatch watch = next(); watch != null; watch = next()) {
                run(watch);
            }
        } finally {
            synchronized (lock) {
                running--;
                lock.notifyAll();
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

    /** Runs one that no other thread runs. Called without the lock. */
    void run(HolderWatch watch) {
        try {
            watch.callback.run();
        } catch (Throwable e) { // not this thread's fault, and other callbacks wait
            LOG.failure(Level.ERROR, "the callback after the last holder's release failed", e);
        } finally {
            synchronized (lock) {
                run++;
            }
        }
    }

    /** {@return how many callbacks have run} */
    long count() {
        return run;
    }

    /** Waits until no thread runs callbacks, or for as long as that should take. Called without the lock. */
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
