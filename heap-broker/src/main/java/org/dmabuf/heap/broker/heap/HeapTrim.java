// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Request to one heap to release memory that it keeps for speed. The heap's own reaper calls the heap, because the
 * heap's code may block and must not delay a client of another heap. Several allocations can wait for one answer.
 */
final class HeapTrim extends LinkedDeferredWork {
    private static final Logger LOG = LoggerFactory.getLogger(HeapTrim.class);

    private final RegisteredHeap heap;
    private final long wanted;
    private final HeapTrims trims;
    // Guarded by this.
    private boolean answered;
    private long given;

    HeapTrim(RegisteredHeap heap, long wanted, HeapTrims trims) {
        this.heap = heap;
        this.wanted = wanted;
        this.trims = trims;
    }

    CallGate gate() {
        return heap.gate();
    }

    /** {@return requested bytes} */
    long wanted() {
        return wanted;
    }

    /** Submits the request to the reaper. */
    void submit() {
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
     * @return bytes that the heap released, 0 without an answer
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
        trims.answered(this);
        synchronized (this) {
            answered = true;
            given = gave;
            notifyAll();
        }
    }

    private long trim() {
        int ticket = heap.gate().enter();
        if (ticket == CallGate.REFUSED) {
            return 0;
        }
        boolean entered = trims.enter(this);
        try {
            return entered ? heap.exporter().trim(wanted) : 0;
        } catch (Throwable e) {
            LOG.warn("{} failed in trim; report that to its vendor", heap, e);
            return 0;
        } finally {
            if (entered) {
                trims.leave(this);
            }
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
