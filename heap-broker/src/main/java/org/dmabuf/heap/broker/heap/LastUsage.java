// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one heap said last of its usage. It is asked by its reaper, because its code may block, and not again before it
 * has answered.
 */
public final class LastUsage extends LinkedDeferredWork {
    private static final Logger LOG = LoggerFactory.getLogger(LastUsage.class);

    /**
     * An answer.
     *
     * @param usage what the heap said last, nothing known before it ever answered
     * @param age how old that is, and before any answer for how long it has been asked; zero for an answer to the last
     *     question
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
     * Has the heap asked, unless it still is.
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
     * @param deadline when it stops waiting, as {@link System#nanoTime} tells it
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
        HeapUsage told = null;
        try {
            told = ask();
        } finally {
            end(told);
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
            HeapUsage told = of.exporter().usage();
            return told == null ? HeapUsage.unknown() : told;
        } catch (Throwable e) {
            LOG.warn("{} failed in usage; report that to its vendor", of, e);
            return HeapUsage.unknown();
        } finally {
            of.gate().leave(ticket);
        }
    }

    /** Ends the question; without an answer the one before stays. */
    private synchronized void end(HeapUsage told) {
        asked = false;
        if (told != null) {
            usage = told;
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
