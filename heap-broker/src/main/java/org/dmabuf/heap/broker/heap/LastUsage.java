// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The usage that one heap reported last. The reaper asks the heap, because its code may block, and not again before it
 * has answered.
 */
public final class LastUsage extends LinkedDeferredWork {
    private static final Logger LOG = LoggerFactory.getLogger(LastUsage.class);

    /**
     * A reported usage with its age.
     *
     * @param usage the usage that the heap reported last, unknown before it ever answered
     * @param age how old the answer is, or before any answer how long ago the heap was asked; zero for an answer to the
     *     last question
     */
    public record Answer(HeapUsage usage, Duration age) {}

    // Guarded by this.
    private RegisteredHeap heap;
    private HeapUsage usage = HeapUsage.unknown();
    private boolean asked;
    private boolean answered;
    /** When it answered last; before that, when it was asked first. */
    private long since;

    /**
     * Has the reaper ask the heap, unless a question is under way.
     *
     * @param now the heap with the properties of this moment
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
     * @return the answer, or an older one
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

    /** Ends the question. Without an answer the one before stays. */
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
        return "the question for the usage of " + heap;
    }
}
