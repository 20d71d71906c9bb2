// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.headroom;

import java.lang.System.Logger.Level;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.machine.MachineMemory;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Account of memory that the machine has left, by which requests for more are refused before the kernel is asked: memfd
 * overcommits, and a process that goes over its cgroup's limit is killed whatever the call. One object serves all heaps
 * that take fresh memory. Ranges of a region that was reserved at the start do not pass here.
 *
 * <p>The machine is read when the last reading is older than {@value #MAX_AGE_MILLIS} ms or would not do. In between,
 * what was granted is subtracted. Memory given back shows at the next reading, so a refusal always rests on a new one.
 *
 * <p>Shareable memory counts in full as long as it can be touched ({@link #hold}), however little of it is in memory at
 * the moment: a holder can punch holes, and the next touch fills them.
 *
 * <p>Any thread may call any method.
 */
public final class Headroom {
    /** System property: bytes that are left to the rest of the machine, or a number with K, M, G or T. */
    public static final String RESERVE_PROPERTY = "org.dmabuf.heap.headroom.reserve";

    private static final System.Logger LOG = System.getLogger(Headroom.class.getName());
    private static final long MAX_AGE_MILLIS = 50;
    private static final long DEFAULT_RESERVE = 64L << 20;

    /** Bytes of memory that the machine has; 0 until it could be read. */
    private static volatile long total;

    /** Memory that is kept for speed and given back before a caller is refused. */
    public interface Spare {
        /** {@return bytes that are kept now} */
        long held();

        /**
         * Gives memory back to the machine. Called without a lock, on the thread that needs the memory.
         *
         * @param bytes how much is wanted
         * @return how much was given back
         */
        long giveBack(long bytes);
    }

    /** What was granted of one limit since its last reading. */
    private static final class Ledger {
        /** All that was ever granted. */
        final AtomicLong granted = new AtomicLong();
        /** Of that, what a reading from now on shows. */
        final AtomicLong settled = new AtomicLong();
        /** What counts against this limit and can be given back. */
        final List<Spare> spares = new CopyOnWriteArrayList<>();
        /** How far {@link #granted} may go before the next reading. */
        volatile long ceiling;

        volatile MachineMemory.Bound bound = MachineMemory.Bound.NONE;

        /** Bytes that may be granted; less than 0 when even the reserve is used. */
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

        /** {@return bytes that were given back of as many as are missing} */
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

    /** State of one machine, shared by all views of its headroom. */
    private static final class State {
        final LongFunction<MachineMemory.Reading> machine;
        final long reserve;
        final LongSupplier nanoTime;
        final Ledger memory = new Ledger();
        final Ledger cgroup = new Ledger();
        final AtomicLong held = new AtomicLong();
        volatile long readAt;
        private volatile boolean reading;

        State(LongFunction<MachineMemory.Reading> machine, long reserve, LongSupplier nanoTime) {
            this.machine = machine;
            this.reserve = reserve;
            this.nanoTime = nanoTime;
            readAt = nanoTime.getAsLong() - MAX_AGE_MILLIS * 1_000_000 - 1;
        }

        boolean old() {
            return nanoTime.getAsLong() - readAt > MAX_AGE_MILLIS * 1_000_000;
        }

        /** {@return whether a thread reads the machine now} */
        boolean reading() {
            return reading;
        }

        /**
         * Reads the machine, unless another thread has just done so. A monitor, unlike a lock object, is given up also
         * by a thread that has no stack left.
         */
        synchronized void refresh(boolean always) {
            try {
                if (always || old()) {
                    reading = true;
                    // Before the machine is looked at: what is settled later may not be in its figure.
                    long memoryShown = memory.settled.get();
                    long cgroupShown = cgroup.settled.get();
                    MachineMemory.Reading now = machine.apply(held.get());
                    memory.bound = now.machine();
                    cgroup.bound = now.cgroup();
                    memory.ceiling = now.machine().available() - reserve + memoryShown;
                    cgroup.ceiling = now.cgroup().available() - reserve + cgroupShown;
                    readAt = nanoTime.getAsLong();
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
    /** The cgroup's first: it commonly is the tighter one. */
    private final List<Ledger> ledgers;

    private final Headroom uncharged;
    private final Headroom setAside;

    /**
     * @param machine reads the limits, given the bytes that are {@linkplain #hold held}
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
     * {@return bytes of memory that the machine has in all; 0 when that cannot be read}
     *
     * @throws HeapException {@link Errno#EMFILE} or {@link Errno#ENFILE} when there is no descriptor to look with
     */
    public static long total() {
        long all = total;
        if (all == 0) {
            all = new MachineMemory().total();
            total = all;
        }
        return all;
    }

    /** {@return the same for memory that the kernel charges to no cgroup: the machine alone limits it} */
    public Headroom uncharged() {
        return uncharged;
    }

    /** {@return the same for huge pages that the kernel charges to a cgroup: the machine has set them aside already} */
    public Headroom setAside() {
        return setAside;
    }

    /** Reads the reserve; logs once what holds instead of a setting that cannot be understood. */
    static long reserve(String configured) {
        if (configured == null) {
            return DEFAULT_RESERVE;
        }
        try {
            return Bytes.parse(configured);
        } catch (IllegalArgumentException e) {
            LOG.log(
                    Level.WARNING,
                    "invalid {0} = {1} in the system properties: expected bytes, or a number with K, M, G or T, such as"
                            + " 16M; a reserve of {2} is in force",
                    RESERVE_PROPERTY,
                    configured,
                    Bytes.text(DEFAULT_RESERVE));
            return DEFAULT_RESERVE;
        }
    }

    /**
     * Takes memory that is about to be allocated from the headroom. A caller for whom it returns calls {@link #settle}
     * once.
     *
     * @param heap named in the refusal
     * @param bytes whole pages
     * @throws HeapException {@link Errno#ENOMEM} when the machine has less; {@link Errno#EMFILE} or
     *     {@link Errno#ENFILE} when there is no descriptor to look with; nothing is taken
     */
    public void reserve(String heap, long bytes) {
        try {
            if (state.old()) {
                state.refresh(false); // waits for a reading that is under way: the old figure may be hours old
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
                    e.errno(),
                    heap,
                    "whether " + Bytes.text(bytes) + " fit is not known: " + e.reason(),
                    e);
        }
        throw refusal(heap, bytes);
    }

    private HeapException refusal(String heap, long bytes) {
        Ledger tightest = tightest();
        MachineMemory.Bound bound = tightest.bound;
        String what = Bytes.text(bytes) + " do not fit: ";
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                bound.size() <= state.reserve
                        ? what + bound.limit() + " is " + Bytes.text(bound.size()) + ", and a reserve of "
                                + Bytes.text(state.reserve)
                                + " is left to the rest of the process and of the machine; raise that limit, or lower "
                                + RESERVE_PROPERTY
                        : what + Bytes.text(Math.max(0, tightest.room())) + " left of " + bound.limit()
                                + " less a reserve of " + Bytes.text(state.reserve)
                                + "; ask for less, close buffers, or lower " + RESERVE_PROPERTY);
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
     * Ends a reservation: the memory was allocated, and readings show it, or it was not.
     *
     * @param bytes as reserved
     */
    public void settle(long bytes) {
        for (Ledger ledger : ledgers) {
            ledger.settled.addAndGet(bytes);
        }
    }

    /**
     * Counts shareable memory in full from now on, also while it is punched or swapped out: memory of a memfd that this
     * process will touch. To be called when the memory is there, before {@link #settle}.
     *
     * @param bytes whole pages, at least 0
     */
    public void hold(long bytes) {
        state.held.addAndGet(bytes);
    }

    /**
     * Ends what {@link #hold} began, when this process no longer answers for the memory.
     *
     * @param bytes as held
     */
    public void release(long bytes) {
        state.held.addAndGet(-bytes);
    }

    /** {@return bytes that are {@linkplain #hold held} now} */
    long held() {
        return state.held.get();
    }

    /** {@return bytes that could be allocated now, as far as the last reading shows; what pools keep is part of it} */
    public long available() {
        look();
        long least = Long.MAX_VALUE;
        for (Ledger ledger : ledgers) {
            least = Math.min(least, ledger.roomWithSpares());
        }
        return Math.max(0, least);
    }

    /**
     * Counts on memory that is kept for speed, until {@link #remove}.
     *
     * @param spare of memory that these limits hold for; any thread may call it
     */
    public void add(Spare spare) {
        for (Ledger ledger : ledgers) {
            ledger.spares.add(spare);
        }
    }

    /**
     * Ends what {@link #add} began. A call of it that is under way goes on.
     *
     * @param spare as added
     */
    public void remove(Spare spare) {
        for (Ledger ledger : ledgers) {
            ledger.spares.remove(spare);
        }
    }

    /** The machine has less than is asked for; with what is kept for speed it may have enough. */
    private boolean takeFromSpares(long bytes) {
        for (Ledger ledger : ledgers) {
            if (bytes > ledger.roomWithSpares()) {
                return false; // no memory is given up for what fails all the same
            }
        }
        for (Ledger ledger : ledgers) {
            long missing = bytes - ledger.room(); // what the reserve lacks is part of it
            if (missing > 0 && ledger.giveBack(missing) > 0) {
                state.refresh(true);
            }
        }
        return take(bytes);
    }

    /** {@return bytes that could be allocated now without what pools keep} */
    public long left() {
        look();
        return Math.max(0, tightest().room());
    }

    /** Reads the machine when the last figure is old, no other thread reads it, and there is a descriptor for that. */
    private void look() {
        if (state.old() && !state.reading()) {
            try {
                state.refresh(false);
            } catch (HeapException e) {
                // The last figure serves for a report; the next reservation reports the cause.
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
