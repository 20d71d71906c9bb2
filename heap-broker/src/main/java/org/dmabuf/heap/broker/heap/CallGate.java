// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;

/**
 * Gate that every call of a heap's code passes. Once it is closed, threads are refused, and {@link #close} waits
 * for the threads inside. It does not wait for the closing thread itself, because a heap may unregister itself from
 * within its own allocate.
 *
 * <p>A thread inside occupies a slot. Entering writes the slot and then reads {@code closed}. Closing writes {@code
 * closed} and then reads the slots. So at least one of the two sees the other. Entering and leaving allocate no memory
 * while slots are free.
 */
public final class CallGate {
    private static final int SLOTS = 64;
    /** The longest time before a closer checks the slots again without being woken. */
    private static final long LOOK_NANOS = 10_000_000;

    private final AtomicReferenceArray<Thread> slots = new AtomicReferenceArray<>(SLOTS);
    /** Threads inside that found no free slot. */
    private final Queue<Thread> crowd = new ConcurrentLinkedQueue<>();

    private volatile Thread closer;
    private volatile boolean closed;

    /** The result of {@link #enter} when the gate is closed. */
    public static final int REFUSED = -1;

    private static final int IN_CROWD = SLOTS;

    /** {@return a ticket for {@link #leave}, or {@link #REFUSED}} */
    public int enter() {
        if (closed) {
            return REFUSED;
        }
        Thread self = Thread.currentThread();
        int ticket = stand(self);
        if (closed) {
            leave(ticket);
            return REFUSED;
        }
        return ticket;
    }

    /**
     * Ends a visit, on the thread that began it.
     *
     * @param ticket the result of {@link #enter}
     */
    public void leave(int ticket) {
        if (ticket == IN_CROWD) {
            crowd.remove(Thread.currentThread());
        } else {
            slots.setRelease(ticket, null); // a closer that sees the change late checks again
        }
        if (closed) {
            LockSupport.unpark(closer);
        }
    }

    /**
     * Refuses every thread from now on, and waits for the threads inside.
     *
     * @param nanos the longest wait, in nanoseconds
     * @return the number of visits by other threads that have not ended
     */
    public int close(long nanos) {
        closer = Thread.currentThread();
        closed = true;
        long deadline = System.nanoTime() + nanos;
        boolean interrupted = false;
        int inside;
        while ((inside = othersInside()) > 0) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                break;
            }
            LockSupport.parkNanos(this, Math.min(left, LOOK_NANOS));
            interrupted |= Thread.interrupted(); // otherwise an interrupt would turn the wait into a busy loop
        }
        closer = null; // a gate may live long, and a thread refers to a class loader
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return inside;
    }

    /** {@return whether the heap is leaving or has left} */
    public boolean closed() {
        return closed;
    }

    /** {@return whether no thread is inside, not even the calling thread} */
    public boolean empty() {
        for (int i = 0; i < SLOTS; i++) {
            if (slots.get(i) != null) {
                return false;
            }
        }
        return crowd.isEmpty();
    }

    private int stand(Thread self) {
        int start = (int) self.threadId();
        for (int i = 0; i < SLOTS; i++) {
            int slot = (start + i) & (SLOTS - 1);
            if (slots.get(slot) == null && slots.compareAndSet(slot, null, self)) {
                return slot;
            }
        }
        crowd.add(self);
        return IN_CROWD;
    }

    private int othersInside() {
        Thread self = Thread.currentThread();
        int others = 0;
        for (int i = 0; i < SLOTS; i++) {
            Thread inside = slots.get(i);
            if (inside != null && inside != self) {
                others++;
            }
        }
        for (Thread inside : crowd) {
            if (inside != self) {
                others++;
            }
        }
        return others;
    }
}
