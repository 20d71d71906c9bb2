// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * Refuses memory that the machine does not have, before the kernel is asked: memfd overcommits, and a process that goes
 * over its cgroup's limit is killed whatever the call. One object serves all heaps that take fresh memory; slices of a
 * region that was reserved at start do not pass here.
 *
 * <p>The machine is read when the last reading is older than {@value #MAX_AGE_MILLIS} ms or would not do; in between,
 * what was granted is subtracted. Memory given back shows at the next reading, so a refusal always rests on a new one.
 */
public final class Headroom {
    /** System property: bytes that are left to the rest of the machine. */
    public static final String RESERVE_PROPERTY = "org.dmabuf.heap.headroom.reserve";

    private static final long MAX_AGE_MILLIS = 50;
    private static final long DEFAULT_RESERVE = 64L << 20;

    /** Bytes available at one moment, and the limit that they are under. */
    record Reading(long available, String limit) {}

    /** Memory that is kept for speed and given back before anybody is refused. */
    interface Spare {
        /** {@return bytes that are kept now} */
        long held();

        /**
         * Gives memory back to the machine. Called without a lock, by whoever needs the memory.
         *
         * @param bytes how much is wanted
         * @return how much was given back
         */
        long giveBack(long bytes);
    }

    private static final class Machine {
        static final Headroom HEADROOM = new Headroom(
                new MachineMemory()::read, Long.getLong(RESERVE_PROPERTY, DEFAULT_RESERVE), System::nanoTime);
    }

    private final Supplier<Reading> machine;
    private final long reserve;
    private final LongSupplier nanoTime;

    /** All that was ever granted. */
    private final AtomicLong granted = new AtomicLong();
    /** Of that, what a reading from now on shows. */
    private final AtomicLong settled = new AtomicLong();
    /** How far {@link #granted} may go before the next reading. */
    private volatile long ceiling;

    /** Of shareable memory that another process can take away and this one would have to make again. */
    private final AtomicLong held = new AtomicLong();

    private final List<Spare> spares = new CopyOnWriteArrayList<>();
    private final ReentrantLock reading = new ReentrantLock();
    private volatile String limit = "";
    private volatile long readAt;

    Headroom(Supplier<Reading> machine, long reserve, LongSupplier nanoTime) {
        this.machine = machine;
        this.reserve = reserve;
        this.nanoTime = nanoTime;
        readAt = nanoTime.getAsLong() - MAX_AGE_MILLIS * 1_000_000 - 1;
    }

    /** {@return the headroom of this machine and of this process's cgroup} */
    public static Headroom machine() {
        return Machine.HEADROOM;
    }

    /**
     * Takes memory that is about to be allocated from the headroom. A caller for whom it returns calls {@link #settle}
     * once.
     *
     * @param heap named in the refusal
     * @param bytes whole pages
     * @throws HeapException {@link Errno#ENOMEM} when the machine has less; nothing is taken
     */
    public void reserve(String heap, long bytes) {
        if (old()) {
            refresh(false); // waits for a reading that is under way: the old figure may be hours old
        }
        if (!take(bytes)) {
            refresh(true);
            if (!take(bytes) && !takeFromSpares(bytes)) {
                throw new HeapException(
                        Errno.ENOMEM,
                        heap,
                        "heap '" + heap + "': " + Bytes.text(bytes) + " do not fit: " + Bytes.text(left())
                                + " left of " + limit + " less a reserve of " + Bytes.text(reserve)
                                + "; ask for less, close buffers, or lower " + RESERVE_PROPERTY);
            }
        }
    }

    /**
     * Ends a reservation: the memory was allocated, and readings show it, or it was not.
     *
     * @param bytes as reserved
     */
    public void settle(long bytes) {
        settled.addAndGet(bytes);
    }

    /**
     * Adds shareable memory that this process answers for, in full size, for as long as it is held.
     *
     * @param bytes 0 or more
     */
    public void hold(long bytes) {
        held.addAndGet(bytes);
    }

    /**
     * Ends a {@link #hold}.
     *
     * @param bytes as held
     */
    public void release(long bytes) {
        held.addAndGet(-bytes);
    }

    /** {@return bytes that could be allocated now, as far as the last reading tells; what pools keep is part of it} */
    public long available() {
        long all = left();
        for (Spare spare : spares) {
            all += spare.held();
        }
        return all;
    }

    void add(Spare spare) {
        spares.add(spare);
    }

    void remove(Spare spare) {
        spares.remove(spare);
    }

    /** The machine has less than is asked for; with what is kept for speed it may have enough. */
    private boolean takeFromSpares(long bytes) {
        if (bytes > available()) {
            return false; // nobody's memory is given up for what fails all the same
        }
        long missing = bytes - left();
        for (Spare spare : spares) {
            if (missing > 0) {
                missing -= spare.giveBack(missing);
            }
        }
        refresh(true);
        return take(bytes);
    }

    /** {@return bytes that could be allocated now without what pools keep} */
    long left() {
        if (old() && reading.tryLock()) {
            try {
                refresh(false);
            } finally {
                reading.unlock();
            }
        }
        return Math.max(0, ceiling - granted.get());
    }

    private boolean take(long bytes) {
        long before;
        do {
            before = granted.get();
            if (bytes > ceiling - before) {
                return false;
            }
        } while (!granted.compareAndSet(before, before + bytes));
        return true;
    }

    private boolean old() {
        return nanoTime.getAsLong() - readAt > MAX_AGE_MILLIS * 1_000_000;
    }

    private void refresh(boolean always) {
        reading.lock();
        try {
            if (always || old()) {
                // Before the machine is looked at: what is settled later may not be in its figure.
                long shown = settled.get();
                Reading now = machine.get();
                limit = now.limit();
                ceiling = now.available() - reserve + shown;
                readAt = nanoTime.getAsLong();
            }
        } finally {
            reading.unlock();
        }
    }
}
