// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.System.Logger.Level;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * A region at work: its memory, the books of who has what, and the thread that zeroes. It lives until it was closed and
 * the last that holds it has left: each buffer does, until its last peer has gone too, and whoever zeroes.
 *
 * <p>Any thread may call any method.
 */
final class Region {
    private static final QuietLog LOG = new QuietLog(Region.class);

    final String heap;
    final RegionLayout layout;
    final Syscalls syscalls;
    final RegionMemory memory;
    private final RegionAllocator blocks;
    private final Peers peers;
    private final Zeroer zeroer;

    /** Makes dma-bufs of ranges; null where exported buffers are memfds of their own. */
    private final Udmabuf udmabuf;

    /** Whether holders of dma-bufs can keep pages unseen. */
    private final boolean lending;

    /** Offsets of ranges whose pages a holder may keep. */
    private final Set<Long> lent = ConcurrentHashMap.newKeySet();

    /** Bytes up to which a buffer is in one physical run. */
    private final long run;

    private final AtomicLong holders = new AtomicLong(1);
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Takes over the memory, the peers and the device. */
    Region(
            String heap,
            RegionLayout layout,
            Syscalls syscalls,
            RegionMemory memory,
            RegionAllocator blocks,
            Peers peers,
            Udmabuf udmabuf,
            boolean lending) {
        this.heap = heap;
        this.layout = layout;
        this.syscalls = syscalls;
        this.memory = memory;
        this.blocks = blocks;
        this.peers = peers;
        this.udmabuf = udmabuf;
        this.lending = lending;
        this.run = udmabuf == null ? Bytes.PAGE : layout.pageSize();
        this.zeroer = new Zeroer(heap, this, blocks, memory);
        zeroer.start();
    }

    /** {@return bytes up to which, and to a multiple of which, a buffer is in one physical run} */
    long run() {
        return run;
    }

    /** {@return what makes dma-bufs of ranges, null where exported buffers are memfds of their own} */
    Udmabuf udmabuf() {
        return udmabuf;
    }

    RegionAllocator blocks() {
        return blocks;
    }

    /**
     * Takes a range, zeroed, and holds the region for it until {@link #discard}.
     *
     * @param size bytes, whole pages
     * @param alignment bytes, a power of two
     * @param asked bytes that the client asked for, named in a refusal
     * @return its offset
     * @throws HeapException {@link Errno#ENOMEM} when there is no place, {@link Errno#ENODEV} when the heap has gone
     */
    long take(long size, long alignment, long asked) {
        return take(size, alignment, asked, false);
    }

    /**
     * Takes a range for a buffer that has memory of its own, and holds the region for it until {@link #leaveEmpty}. Its
     * pages go to the machine, where they can: nobody may touch the range. One whose pages are gone already is as good,
     * and costs nothing. Its offset is aligned to nothing, since it is no part of the buffer's address.
     *
     * @param size bytes, whole pages
     * @param asked bytes that the client asked for, named in a refusal
     * @return its offset
     * @throws HeapException as {@link #take}
     */
    long takeEmpty(long size, long asked) {
        return take(size, 1, asked, memory.canBeHollow());
    }

    private long take(long size, long alignment, long asked, boolean hollow) {
        if (closed.get() || !tryHold()) {
            throw new HeapException(
                    Errno.ENODEV, heap, "heap '" + heap + "' has gone; use a heap that is announced");
        }
        long offset = -1;
        try {
            offset = hollow ? findHollow(size) : find(size, alignment);
            if (offset < 0) {
                offset = zeroer.drainFor(() -> hollow ? findHollow(size) : find(size, alignment));
            }
            if (offset < 0) {
                throw full(asked);
            }
            return offset;
        } finally {
            if (offset < 0) {
                leave();
            }
        }
    }

    /**
     * What is no larger than a page of the region must not lie across two, and what is larger begins with one: the
     * pages are the physical runs that were announced.
     */
    private long find(long size, long alignment) {
        if (size > run) {
            return blocks.allocate(size, Math.max(alignment, run));
        }
        long offset = blocks.allocate(size, alignment);
        if (offset >= 0 && (offset & -run) != (offset + size - 1 & -run)) {
            blocks.free(offset);
            offset = blocks.allocate(size, Math.max(alignment, RegionAllocator.alignment(size, run)));
        }
        return offset;
    }

    private long findHollow(long size) {
        long granule = layout.granule();
        long offset = zeroer.takeHollow(size + granule - 1 & -granule);
        if (offset >= 0) {
            blocks.reuse(offset);
            return offset;
        }
        offset = find(size, 1);
        if (offset >= 0) {
            memory.hollow(offset, blocks.size(offset));
        }
        return offset;
    }

    private HeapException full(long asked) {
        RegionAllocator.Figures now = blocks.figures(run);
        return new HeapException(
                Errno.ENOMEM,
                heap,
                "carveout '" + heap + "': " + asked + " bytes do not fit: " + Bytes.text(now.free())
                        + " free, largest run " + Bytes.text(now.largestFree())
                        + (now.quarantined() == 0
                                ? ""
                                : ", " + Bytes.text(now.quarantined()) + " closed and still held by peers")
                        + (now.dirty() == 0 ? "" : ", " + Bytes.text(now.dirty())
                                + " waiting to be zeroed, or for memory of the machine")
                        + "; raise " + layout.setting() + " or free a buffer");
    }

    /** Says that a descriptor of a range is about to be made. */
    void lend(long offset) {
        if (lending) {
            lent.add(offset);
        }
    }

    /** {@return whether a holder may keep pages of a range, so that they must not be the next tenant's} */
    boolean isLent(long offset) {
        return lent.contains(offset);
    }

    /** Says that a range has no page any more that was lent. */
    void unlend(long offset) {
        lent.remove(offset);
    }

    /** Ends a tenancy that left something to zero. */
    void discard(long offset) {
        blocks.discard(offset);
        zeroer.wake();
        leave();
    }

    /** Ends a tenancy that had memory of its own: the range is as it was. */
    void leaveEmpty(long offset) {
        blocks.retire(offset);
        try {
            if (memory.canBeHollow()) {
                zeroer.fillLater(offset);
            } else {
                blocks.free(offset);
            }
        } finally {
            leave();
        }
    }

    /** Begins to follow a descriptor that is about to leave. */
    PeerWatch watch(long size, int fd) {
        return peers.watch(heap, size, fd);
    }

    /**
     * Keeps a range from use until the last peer has gone.
     *
     * @param peersGone then ends the tenancy
     */
    void quarantine(long offset, PeerWatch watch, Runnable peersGone) {
        blocks.quarantine(offset);
        watch.whenGone(peersGone);
    }

    /** {@return whether the region is still there, and stays until {@link #leave}} */
    boolean tryHold() {
        long now;
        do {
            now = holders.get();
            if (now == 0) {
                return false;
            }
        } while (!holders.compareAndSet(now, now + 1));
        return true;
    }

    void leave() {
        if (holders.decrementAndGet() == 0) {
            memory.gone();
            peers.close();
            if (udmabuf != null) {
                udmabuf.close();
            }
            memory.close();
            LOG.write(Level.DEBUG, "heap ''{0}'': its region of {1} was given back", heap, Bytes.text(layout.size()));
        }
    }

    /**
     * Refuses allocations, ends the thread, and leaves: without tenants and peers the memory is the machine's again
     * when this returns. Closing twice does nothing.
     */
    void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        zeroer.end();
        memory.departed();
        RegionAllocator.Figures now = blocks.figures(1);
        long held = now.size() - now.free() - now.dirty();
        if (held > 0) {
            LOG.write(
                    Level.INFO,
                    "heap ''{0}'' has left with {1} in buffers that are not released, or that peers still hold; its"
                            + " region of {2} stays until they are",
                    heap,
                    Bytes.text(held),
                    Bytes.text(now.size()));
        }
        leave();
    }
}
