// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.headroom;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.machine.MachineMemory;
import org.dmabuf.heap.linux.machine.PressureStall;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Account of the machine's remaining memory. It refuses requests that would exceed this memory before the kernel is
 * called. The kernel would grant more than it has, and then kill a process that exceeds the limit of its cgroup. One
 * object serves all heaps that allocate new memory. Ranges of a region that was reserved at the start are not counted
 * here.
 *
 * <p>The account reads the machine's figures when the last reading is older than {@value #MAX_AGE_MILLIS} ms or would
 * cause a refusal. Between readings it subtracts the granted memory. Released memory shows only in the next reading, so
 * each refusal is based on a new one.
 *
 * <p>Shareable memory counts in full as long as an access can fill it ({@link #hold}), even if few of its pages exist
 * at the moment. A holder can punch holes, which the next access fills again.
 *
 * <p>Any thread may call any method.
 */
public final class Headroom {
    /** System property: reserve that is never granted, in bytes, or a number with K, M, G or T. Default: 64 MiB. */
    public static final String RESERVE_PROPERTY = "org.dmabuf.heap.headroom.reserve";

    private static final QuietLog LOG = new QuietLog(Headroom.class);
    private static final long MAX_AGE_MILLIS = 50;
    private static final long DEFAULT_RESERVE = 64L << 20;

    /** Bytes of memory that the machine has; 0 until they have been read. */
    private static volatile long total;

    /** Pooled memory, which is released before a request is refused. */
    public interface Spare {
        /** {@return bytes that are pooled now} */
        long held();

        /**
         * Releases memory to the machine. Called without a lock, on the thread that needs the memory.
         *
         * @param bytes how much is needed
         * @return how much was released
         */
        long giveBack(long bytes);
    }

    /** Ledger of one limit: the memory granted since its last reading. */
    private static final class Ledger {
        /** Total of all grants. */
        final AtomicLong granted = new AtomicLong();
        /** Part of {@link #granted} that later readings include. */
        final AtomicLong settled = new AtomicLong();
        /** Pooled memory that counts against this limit and can be released. */
        final List<Spare> spares = new CopyOnWriteArrayList<>();
        /** Highest value of {@link #granted} before the next reading. */
        volatile long ceiling;

        volatile MachineMemory.Bound bound = MachineMemory.Bound.NONE;

        /** Returns the bytes that may be granted; negative when a part of the reserve is used. */
        long room() {
            return ceiling - granted.get();
        }

        long roomWithSpares() {
            long all = room();
            for (Spare spare : spares) {
                all += spare.held();
            }
            return all;
        }

        boolean take(long bytes) {
            long before;
            do {
                before = granted.get();
                if (bytes > ceiling - before) {
                    return false;
                }
            } while (!granted.compareAndSet(before, before + bytes));
            return true;
        }

        /** {@return bytes that were released, of the given number that is missing} */
        long giveBack(long missing) {
            long given = 0;
            for (Spare spare : spares) {
                if (given < missing) {
                    given += spare.giveBack(missing - given);
                }
            }
            return given;
        }
    }

    /** State of one machine, which all views of its headroom share. */
    private static final class State {
        final LongFunction<MachineMemory.Reading> machine;
        final long reserve;
        final LongSupplier nanoTime;
        final Ledger memory = new Ledger();
        final Ledger cgroup = new Ledger();
        final AtomicLong held = new AtomicLong();
        volatile long readAt;
        private volatile boolean reading;
        private volatile boolean read;

        State(LongFunction<MachineMemory.Reading> machine, long reserve, LongSupplier nanoTime) {
            this.machine = machine;
            this.reserve = reserve;
            this.nanoTime = nanoTime;
            readAt = nanoTime.getAsLong() - MAX_AGE_MILLIS * 1_000_000 - 1;
        }

        boolean old() {
            return nanoTime.getAsLong() - readAt > MAX_AGE_MILLIS * 1_000_000;
        }

        /** {@return whether there are figures to use while a thread reads newer ones} */
        boolean isBeingRenewed() {
            return reading && read;
        }

        /**
         * Reads the figures, unless another thread has just done so. It uses a monitor, because a thread releases a
         * monitor even when it has no stack left, unlike a lock object.
         */
        synchronized void refresh(boolean always) {
            try {
                if (always || old()) {
                    reading = true;
                    // Taken before the reading, which may not include memory settled later.
                    long memoryShown = memory.settled.get();
                    long cgroupShown = cgroup.settled.get();
                    MachineMemory.Reading now = machine.apply(held.get());
                    memory.bound = now.machine();
                    cgroup.bound = now.cgroup();
                    memory.ceiling = now.machine().available() - reserve + memoryShown;
                    cgroup.ceiling = now.cgroup().available() - reserve + cgroupShown;
                    readAt = nanoTime.getAsLong();
                    read = true;
                }
            } finally {
                reading = false;
            }
        }
    }

    private static final class Machine {
        static final Headroom HEADROOM = new Headroom(
                new MachineMemory()::read, reserve(System.getProperty(RESERVE_PROPERTY)), System::nanoTime);
    }

    private final State state;
    /** The cgroup's ledger comes first, because its limit commonly is the lower one. */
    private final List<Ledger> ledgers;

    private final Headroom uncharged;
    private final Headroom setAside;

    /**
     * @param machine reads the limits; its argument is the number of {@linkplain #hold held} bytes
     * @param reserve bytes that are never granted
     * @param nanoTime the clock
     */
    Headroom(LongFunction<MachineMemory.Reading> machine, long reserve, LongSupplier nanoTime) {
        state = new State(machine, reserve, nanoTime);
        ledgers = List.of(state.cgroup, state.memory);
        uncharged = new Headroom(state, state.memory);
        setAside = new Headroom(state, state.cgroup);
    }

    private Headroom(State state, Ledger only) {
        this.state = state;
        ledgers = List.of(only);
        uncharged = this;
        setAside = this;
    }

    /** {@return the headroom of this machine and of this process's cgroup} */
    public static Headroom machine() {
        return Machine.HEADROOM;
    }

    /**
     * {@return the machine's total memory in bytes; 0 when it cannot be read}
     *
     * @throws HeapException {@link Errno#EMFILE} or {@link Errno#ENFILE} when no descriptor is left for the reading
     */
    public static long total() {
        long all = total;
        if (all == 0) {
            all = new MachineMemory().total();
            total = all;
        }
        return all;
    }

    /**
     * Returns how long tasks of this process's cgroup, or otherwise of the machine, have waited for memory.
     *
     * @return a time that only grows; empty if the kernel has no pressure stall information
     * @throws HeapException {@link Errno#EMFILE} or {@link Errno#ENFILE} when no descriptor is left for the reading
     */
    public static Optional<Duration> memoryStall() {
        return PressureStall.total();
    }

    /** {@return a view for memory that the kernel does not charge to a cgroup: only the machine limits it} */
    public Headroom uncharged() {
        return uncharged;
    }

    /**
     * {@return a view for huge pages that the kernel charges to a cgroup: only the cgroup limits them, because the
     * machine has already reserved them}
     */
    public Headroom setAside() {
        return setAside;
    }

    /** Reads the reserve. For an invalid setting it logs once which reserve applies instead. */
    static long reserve(String configured) {
        if (configured == null) {
            return DEFAULT_RESERVE;
        }
        try {
            return Bytes.parse(configured);
        } catch (IllegalArgumentException e) {
            LOG.warn(
                    "invalid {} = {} in the system properties: expected bytes, or a number with K, M, G or T, such as"
                            + " 16M; a reserve of {} is in force",
                    RESERVE_PROPERTY,
                    configured,
                    Bytes.text(DEFAULT_RESERVE));
            return DEFAULT_RESERVE;
        }
    }

    /**
     * Reserves memory for an allocation that follows. After it returns, the caller must call {@link #settle} once.
     *
     * @param heap named in the refusal
     * @param bytes whole pages
     * @throws HeapException {@link Errno#ENOMEM} when the machine has less memory; {@link Errno#EMFILE} or
     *     {@link Errno#ENFILE} when no descriptor is left for the reading; nothing is taken
     */
    public void reserve(String heap, long bytes) {
        try {
            if (state.old()) {
                state.refresh(false); // waits for a reading in progress, because the old figure may be hours old
            }
            if (take(bytes)) {
                return;
            }
            state.refresh(true);
            if (take(bytes) || takeFromSpares(bytes)) {
                return;
            }
        } catch (HeapException e) {
            throw HeapException.of(
                    e.errno(), heap, "cannot check whether " + Bytes.text(bytes) + " fits: " + e.reason(), e);
        }
        throw refusal(heap, bytes);
    }

    private HeapException refusal(String heap, long bytes) {
        Ledger tightest = tightest();
        MachineMemory.Bound bound = tightest.bound;
        String what = Bytes.text(bytes) + " does not fit: ";
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                bound.size() <= state.reserve
                        ? what + bound.limit() + " is " + Bytes.text(bound.size()) + ", all of it within the reserve"
                                + " of " + Bytes.text(state.reserve)
                                + " for the rest of the process and of the machine; raise that limit, or lower "
                                + RESERVE_PROPERTY
                        : what + Bytes.text(Math.max(0, tightest.room())) + " left of " + bound.limit()
                                + " less a reserve of " + Bytes.text(state.reserve)
                                + "; ask for less, close buffers, "
                                + (bound.size() < Long.MAX_VALUE ? "raise that limit, " : "") + "or lower "
                                + RESERVE_PROPERTY);
    }

    private Ledger tightest() {
        Ledger tightest = ledgers.getFirst();
        for (Ledger ledger : ledgers) {
            if (ledger.room() < tightest.room()) {
                tightest = ledger;
            }
        }
        return tightest;
    }

    /**
     * Ends a reservation, after the allocation has succeeded, so that readings include it, or has failed.
     *
     * @param bytes the number passed to {@link #reserve(String, long)}
     */
    public void settle(long bytes) {
        for (Ledger ledger : ledgers) {
            ledger.settled.addAndGet(bytes);
        }
    }

    /**
     * Counts shareable memory in full from now on, even while holes are punched into it or it is swapped out. It is for
     * memfds that this process will access. Call it when the memory exists, before {@link #settle}.
     *
     * @param bytes whole pages, at least 0
     */
    public void hold(long bytes) {
        state.held.addAndGet(bytes);
    }

    /**
     * Ends the count that {@link #hold} began, when the memory no longer belongs to this process.
     *
     * @param bytes the number passed to {@link #hold}
     */
    public void release(long bytes) {
        state.held.addAndGet(-bytes);
    }

    /** {@return bytes that are {@linkplain #hold held} now} */
    long held() {
        return state.held.get();
    }

    /** {@return bytes that could be allocated now according to the last reading, including pooled memory} */
    public long available() {
        look();
        long least = Long.MAX_VALUE;
        for (Ledger ledger : ledgers) {
            least = Math.min(least, ledger.roomWithSpares());
        }
        return Math.max(0, least);
    }

    /**
     * Adds pooled memory that can be released when memory is short, until {@link #remove}.
     *
     * @param spare pooled memory that counts against these limits; any thread may call it
     */
    public void add(Spare spare) {
        for (Ledger ledger : ledgers) {
            ledger.spares.add(spare);
        }
    }

    /**
     * Removes pooled memory. A call in progress goes on.
     *
     * @param spare the object passed to {@link #add}
     */
    public void remove(Spare spare) {
        for (Ledger ledger : ledgers) {
            ledger.spares.remove(spare);
        }
    }

    /** Releases pooled memory for a request that exceeds the remaining memory. */
    private boolean takeFromSpares(long bytes) {
        for (Ledger ledger : ledgers) {
            if (bytes > ledger.roomWithSpares()) {
                return false; // the request would fail even so: keep the pools
            }
        }
        for (Ledger ledger : ledgers) {
            long missing = bytes - ledger.room(); // includes the used part of the reserve
            if (missing > 0 && ledger.giveBack(missing) > 0) {
                state.refresh(true);
            }
        }
        return take(bytes);
    }

    /** {@return bytes that could be allocated now, without pooled memory} */
    public long left() {
        look();
        return Math.max(0, tightest().room());
    }

    /**
     * Reads the figures if the last ones are old and a descriptor is available. If another thread is reading, the last
     * ones are used. Only the first reading is waited for, because memory that is unknown is not zero.
     */
    private void look() {
        if (state.old() && !state.isBeingRenewed()) {
            try {
                state.refresh(false);
            } catch (HeapException e) {
                // A report can use the last figure; the next reservation reports the error.
            }
        }
    }

    private boolean take(long bytes) {
        for (int i = 0; i < ledgers.size(); i++) {
            if (!ledgers.get(i).take(bytes)) {
                for (Ledger taken : ledgers.subList(0, i)) {
                    taken.granted.addAndGet(-bytes);
                }
                return false;
            }
        }
        return true;
    }
}
