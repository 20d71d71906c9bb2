// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The question to one heap to give back what it keeps for speed. The heap's own reaper asks it, since the heap's code
 * may block and must not run for a client of another heap.
 */
public final class HeapTrim extends LinkedDeferredWork {
    private static final Logger LOG = LoggerFactory.getLogger(HeapTrim.class);
    /** How long a request waits for all heaps together. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(1);

    private final RegisteredHeap heap;
    private final long wanted;
    // Guarded by this.
    private boolean answered;
    private long given;

    private HeapTrim(RegisteredHeap heap, long wanted) {
        this.heap = heap;
        this.wanted = wanted;
    }

    /**
     * Asks every heap that serves, and waits a second at most for all together.
     *
     * @param routes the heaps
     * @param bytes how much is wanted of each
     * @return whether any gave something back
     * @throws InterruptedException when the thread is interrupted
     */
    public static boolean all(RoutingTable routes, long bytes) throws InterruptedException {
        List<HeapTrim> asked = new ArrayList<>();
        for (int turn = 0; turn < routes.size(); turn++) {
            RegisteredHeap heap = routes.inOrder(turn);
            if (!heap.account().reaper().hangs()) {
                HeapTrim trim = new HeapTrim(heap, bytes);
                heap.account().reaper().submit(trim);
                asked.add(trim);
            }
        }
        long deadline = System.nanoTime() + PATIENCE;
        boolean some = false;
        for (HeapTrim trim : asked) {
            some |= trim.await(deadline) > 0;
        }
        return some;
    }

    private synchronized long await(long deadline) throws InterruptedException {
        while (!answered) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                break;
            }
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return given;
    }

    @Override
    public void perform() {
        long gave = 0;
        try {
            gave = trim();
        } finally {
            synchronized (this) {
                answered = true;
                given = gave;
                notifyAll();
            }
        }
    }

    private long trim() {
        int ticket = heap.gate().enter();
        if (ticket == CallGate.REFUSED) {
            return 0;
        }
        try {
            return heap.exporter().trim(wanted);
        } catch (Throwable e) {
            LOG.warn("{} failed in trim; report that to its vendor", heap, e);
            return 0;
        } finally {
            heap.gate().leave(ticket);
        }
    }

    @Override
    public long bytes() {
        return 0;
    }

    @Override
    public String toString() {
        return "the request to trim " + heap;
    }
}
