// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * What the soak did, what was refused, and what must not have been. It is a service of the framework: the bundles of
 * the soak write into it.
 */
public final class Tally {
    private static final int FAILURES_KEPT = 20;
    /** Milliseconds in which a thread that has begun a call enters the heap, also on a busy machine. */
    private static final int FULL_DRAIN = 1000;

    private final long seed;
    private final Map<String, LongAdder> operations = new ConcurrentHashMap<>();
    private final Map<String, LongAdder> refusals = new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<String> failures = new ConcurrentLinkedQueue<>();
    private final AtomicLong randoms = new AtomicLong();
    private final AtomicLong heapBuffers = new AtomicLong();
    private final LongAdder forgotten = new LongAdder();
    private final AtomicInteger brokerLife = new AtomicInteger();
    private volatile boolean over;
    /** {@link System#nanoTime} until which a drain may be shorter than a call needs to begin. */
    private volatile long shortDrainUntil = Long.MIN_VALUE;

    Tally(long seed) {
        this.seed = seed;
    }

    long seed() {
        return seed;
    }

    /** {@return numbers that follow from the soak's seed and from how many asked before} */
    public Random random() {
        return new Random(seed * 31 + randoms.incrementAndGet());
    }

    /** Counts an operation. */
    public void did(String operation) {
        count(operations, operation);
    }

    /** Counts an error that is a possible answer. */
    public void refused(String operation, String error) {
        count(refusals, operation + " " + error);
    }

    /** Keeps what must not happen; the soak fails. */
    public void fail(String operation, Throwable error) {
        StringBuilder text = new StringBuilder("seed " + seed + ", " + operation + ": " + error);
        for (Throwable at = error; at != null; at = at.getCause()) {
            text.append(at == error ? "" : "\n  caused by " + at);
            for (StackTraceElement element : at.getStackTrace()) {
                text.append("\n    at ").append(element);
            }
        }
        if (failures.size() < FAILURES_KEPT) {
            failures.add(text.toString());
        }
    }

    /** The broker is about to wait so long for the calls inside a heap that leaves. One thread calls this. */
    void drains(int millis) {
        if (millis < FULL_DRAIN) {
            shortDrainUntil = Long.MAX_VALUE;
        } else if (shortDrainUntil == Long.MAX_VALUE) {
            shortDrainUntil = System.nanoTime() + TimeUnit.SECONDS.toNanos(2); // a short one may be under way
        }
    }

    /** {@return whether a call that had begun cannot enter a heap that has left} */
    public boolean drainsInFull() {
        return System.nanoTime() > shortDrainUntil;
    }

    /** {@return whether everybody is to close what it has, and end} */
    public boolean over() {
        return over;
    }

    /** {@return counts the broker's starts and stops: odd while it is away} */
    public int brokerLife() {
        return brokerLife.get();
    }

    /** A client is about to lose sight of a buffer that it has not closed: the broker finds that, or its stop does. */
    public void forgets() {
        forgotten.increment();
    }

    /** A heap of the soak has made a buffer. */
    public void made() {
        heapBuffers.incrementAndGet();
    }

    /** A heap of the soak got a buffer back. */
    public void released() {
        heapBuffers.decrementAndGet();
    }

    long heapBuffers() {
        return heapBuffers.get();
    }

    long forgotten() {
        return forgotten.sum();
    }

    void brokerGoesOrComes() {
        brokerLife.incrementAndGet();
    }

    void end() {
        over = true;
    }

    List<String> failures() {
        return new ArrayList<>(failures);
    }

    long operations() {
        return operations.values().stream().mapToLong(LongAdder::sum).sum();
    }

    boolean did(List<String> all) {
        return operations.keySet().containsAll(all);
    }

    String table() {
        StringBuilder text = new StringBuilder("operations: " + operations() + "\n");
        new TreeMap<>(operations).forEach((what, n) -> text.append("%12d  %s%n".formatted(n.sum(), what)));
        text.append("refusals: " + refusals.values().stream().mapToLong(LongAdder::sum).sum() + "\n");
        new TreeMap<>(refusals).forEach((what, n) -> text.append("%12d  %s%n".formatted(n.sum(), what)));
        return text.toString();
    }

    private static void count(Map<String, LongAdder> counts, String what) {
        counts.computeIfAbsent(what, key -> new LongAdder()).increment();
    }
}
