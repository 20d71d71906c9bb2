// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.daemon.QuietLog;

/**
 * Watch over facts that change while heaps serve: memory that is added to the machine, udmabuf's limit, which an
 * operator sets, and better back ends, whose device or permission may come later. The kernel announces the first two to
 * no process without privileges, so a thread reads all of them again from time to time. Until then, a plan for devices
 * can use the former facts.
 *
 * <p>A reading can hang in a driver or in a vendor's code. So each thread reads once, and starts its successor before
 * that. The successors leave out a heap whose reading has not ended.
 */
final class FactsWatch {
    /** The watch over all heaps of this process. */
    static final FactsWatch MACHINE = new FactsWatch(TimeUnit.SECONDS.toNanos(10));

    private static final QuietLog LOG = new QuietLog(FactsWatch.class);

    private final long periodNanos;
    /** Actions that announce a heap's facts again if they have changed. */
    private final List<Runnable> renewals = new CopyOnWriteArrayList<>();
    /** Those whose last run failed. */
    private final Set<Runnable> failing = ConcurrentHashMap.newKeySet();
    /** Those that run now. */
    private final Set<Runnable> running = ConcurrentHashMap.newKeySet();
    /** The thread that waits for the next reading; null without a heap. Guarded by this. */
    private Thread thread;

    /** @param periodNanos time between two readings */
    FactsWatch(long periodNanos) {
        this.periodNanos = periodNanos;
    }

    synchronized void add(Runnable renewal) {
        if (thread == null) {
            start();
        }
        renewals.add(renewal);
    }

    private void start() {
        Thread made = DaemonLoop.thread("dmaheap-facts", "reading the facts of heaps failed", periodNanos, this::step);
        made.start();
        thread = made; // after the start, which can fail for lack of memory
    }

    synchronized void remove(Runnable renewal) {
        renewals.remove(renewal);
        if (renewals.isEmpty()) {
            LockSupport.unpark(thread); // it ends
        }
    }

    private boolean step() {
        LockSupport.parkNanos(this, periodNanos);
        boolean succeeded = false;
        synchronized (this) {
            if (renewals.isEmpty()) {
                thread = null;
                return false;
            }
            try {
                start();
                succeeded = true;
            } catch (OutOfMemoryError e) {
                // No other thread can be started, so this one goes on.
            }
        }
        failing.retainAll(renewals);
        renewals.forEach(this::run);
        return !succeeded;
    }

    /** Runs a renewal unless it runs already. Its failure is logged once, and does not affect the other heaps. */
    private void run(Runnable renewal) {
        if (!running.add(renewal)) {
            return;
        }
        try {
            renewal.run();
            failing.remove(renewal);
        } catch (Throwable e) { // of a vendor's code
            if (failing.add(renewal)) {
                LOG.error("reading the facts of a heap failed; they are read again", e);
            }
        } finally {
            running.remove(renewal);
        }
    }
}
