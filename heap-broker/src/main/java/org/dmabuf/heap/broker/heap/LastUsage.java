// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Last reported usage of one heap. The reaper calls the heap, because its code may block. The heap is not asked
 * again before it has answered.
 */
public final class LastUsage extends LinkedDeferredWork {
    private static final Logger LOG = LoggerFactory.getLogger(LastUsage.class);

    /**
     * A reported usage with its age.
     *
     * @param usage the last reported usage, unknown before the first answer
     * @param age the age of the answer, zero for an answer to the last query. Before the first answer, it is the time
     *     since the heap was first asked
     */
    public record Answer(HeapUsage usage, Duration age) {}

    // Guarded by this.
    private RegisteredHeap heap;
    private HeapUsage usage = HeapUsage.unknown();
    private boolean asked;
    private boolean answered;
    /** The time of the last answer; before the first answer, the time of the first query. */
    private long since;

    /**
     * Submits a query to the reaper, unless a query is in progress.
     *
     * @param now the heap with its current properties
     */
    public void ask(RegisteredHeap now) {
        synchronized (this) {
            if (asked) {
                return;
            }
            asked = true;
            heap = now;
            if (!answered) {
                since = System.nanoTime();
            }
        }
        boolean handedOver = false;
        try {
            now.account().reaper().submit(this);
            handedOver = true;
        } finally {
            if (!handedOver) {
                end(null);
            }
        }
    }

    /**
     * Waits for the answer.
     *
     * @param deadline when it stops waiting, a time of {@link System#nanoTime}
     * @return the answer, or an earlier one
     */
    public synchronized Answer await(long deadline) {
        boolean interrupted = false;
        while (asked) {
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                break;
            }
            try {
                wait(left);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return new Answer(usage, asked ? Duration.ofNanos(System.nanoTime() - since) : Duration.ZERO);
    }

    @Override
    public void perform() {
        HeapUsage answer = null;
        try {
            answer = ask();
        } finally {
            end(answer);
        }
    }

    private HeapUsage ask() {
        RegisteredHeap of;
        synchronized (this) {
            of = heap;
        }
        int ticket = of.gate().enter();
        if (ticket == CallGate.REFUSED) {
            return HeapUsage.unknown();
        }
        try {
            HeapUsage answer = of.exporter().usage();
            return answer == null ? HeapUsage.unknown() : answer;
        } catch (Throwable e) {
            LOG.warn("{} failed in usage; report that to its vendor", of, e);
            return HeapUsage.unknown();
        } finally {
            of.gate().leave(ticket);
        }
    }

    /** Ends the query. Without an answer, the previous one stays. */
    private synchronized void end(HeapUsage answer) {
        asked = false;
        if (answer != null) {
            usage = answer;
            answered = true;
            since = System.nanoTime();
        }
        notifyAll();
    }

    @Override
    public long bytes() {
        return 0;
    }

    @Override
    public synchronized String toString() {
        return "the usage query of " + heap;
    }
}
