// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The question to one heap to give back what it keeps for speed. The heap's own reaper asks it, since the heap's code
 * may block and must not run for a client of another heap. Several requests can wait for one answer.
 */
final class HeapTrim extends LinkedDeferredWork {
    private static final Logger LOG = LoggerFactory.getLogger(HeapTrim.class);

    private final RegisteredHeap heap;
    private final long wanted;
    private final ConcurrentMap<CallGate, HeapTrim> underWay;
    /** The question before this one; null when there is none, and once the heap was asked. */
    private HeapTrim before;
    // Guarded by this.
    private boolean answered;
    private long given;

    private HeapTrim(
            RegisteredHeap heap, long wanted, ConcurrentMap<CallGate, HeapTrim> underWay, HeapTrim before) {
        this.heap = heap;
        this.wanted = wanted;
        this.underWay = underWay;
        this.before = before;
    }

    /**
     * Has the heap asked, unless a question for as much is under way: a heap that answers slowly must not get more
     * questions than it answers.
     *
     * @param underWay the questions under way, by the gates of their heaps
     * @return the question
     */
    static HeapTrim ask(RegisteredHeap heap, long wanted, ConcurrentMap<CallGate, HeapTrim> underWay) {
        while (true) {
            HeapTrim other = underWay.get(heap.gate());
            if (other != null && other.wanted >= wanted) {
                return other;
            }
            HeapTrim mine = new HeapTrim(heap, wanted, underWay, other);
            if (other == null
                    ? underWay.putIfAbsent(heap.gate(), mine) == null
                    : underWay.replace(heap.gate(), other, mine)) {
                mine.submit();
                return mine;
            }
        }
    }

    private void submit() {
        boolean submitted = false;
        try {
            heap.account().reaper().submit(this);
            submitted = true;
        } finally {
            if (!submitted) {
                answer(0);
            }
        }
    }

    /**
     * Waits for the answer.
     *
     * @param deadline when it stops waiting, a time of {@link System#nanoTime}
     * @return bytes that the heap gave back, 0 without an answer
     * @throws InterruptedException when the thread is interrupted
     */
    synchronized long await(long deadline) throws InterruptedException {
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
            answer(gave);
        }
    }

    private void answer(long gave) {
        underWay.remove(heap.gate(), this);
        before = null;
        synchronized (this) {
            answered = true;
            given = gave;
            notifyAll();
        }
    }

    private synchronized boolean isAnswered() {
        return answered;
    }

    private long trim() {
        if (before != null && !before.isAnswered()) {
            return 0; // it hangs in the heap's code, which is called by one thread at a time
        }
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
