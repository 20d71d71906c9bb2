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
 * The counts of the soak's operations and refusals, and the list of its errors. It is a service of the framework, into
 * which the bundles of the soak write.
 */
public final class Tally {
    private static final int FAILURES_KEPT = 20;
    /** The time in milliseconds within which a thread that has begun a call enters the heap, even on a busy machine. */
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
    /**
     * The end, as a {@link System#nanoTime}, of the period in which a drain may be shorter than a call needs to begin.
     */
    private volatile long shortDrainUntil = Long.MIN_VALUE;

    Tally(long seed) {
        this.seed = seed;
    }

    long seed() {
        return seed;
    }

    /** {@return random numbers that depend on the soak's seed and on the number of earlier calls} */
    public Random random() {
        return new Random(seed * 31 + randoms.incrementAndGet());
    }

    /** Counts an operation. */
    public void did(String operation) {
        count(operations, operation);
    }

    /** Counts an error that the interfaces permit. */
    public void refused(String operation, String error) {
        count(refusals, operation + " " + error);
    }

    /** Records an error; the soak fails. */
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

    /** Reports the drain time that the broker is about to use. Only one thread calls this. */
    void drains(int millis) {
        if (millis < FULL_DRAIN) {
            shortDrainUntil = Long.MAX_VALUE;
        } else if (shortDrainUntil == Long.MAX_VALUE) {
            shortDrainUntil = System.nanoTime() + TimeUnit.SECONDS.toNanos(2); // a short drain may be under way
        }
    }

    /** {@return whether a call that had begun cannot enter a heap that has left} */
    public boolean drainsInFull() {
        return System.nanoTime() > shortDrainUntil;
    }

    /** {@return whether all threads must close their resources and end} */
    public boolean over() {
        return over;
    }

    /** {@return the count of the broker's starts and stops; odd while the broker is stopped} */
    public int brokerLife() {
        return brokerLife.get();
    }

    /**
     * Reports that a client is about to lose a buffer without a close. The broker detects the loss, or the stop of the
     * client ends the buffer.
     */
    public void forgets() {
        forgotten.increment();
    }

    /** Reports that a heap of the soak has created a buffer. */
    public void made() {
        heapBuffers.incrementAndGet();
    }

    /** Reports that a buffer of a heap of the soak was released. */
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
        text.append("refusals: "
                + refusals.values().stream().mapToLong(LongAdder::sum).sum() + "\n");
        new TreeMap<>(refusals).forEach((what, n) -> text.append("%12d  %s%n".formatted(n.sum(), what)));
        return text.toString();
    }

    private static void count(Map<String, LongAdder> counts, String what) {
        counts.computeIfAbsent(what, key -> new LongAdder()).increment();
    }
}
