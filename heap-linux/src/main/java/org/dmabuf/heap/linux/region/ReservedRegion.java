// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.lang.System.Logger.Level;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.kernel.DmaBufSync;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Udmabuf;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Region whose memory is taken at the start, with a thread that zeroes what was released. A range that holders may
 * still see is quarantined until the last of them has gone.
 */
final class ReservedRegion extends Region {
    private static final QuietLog LOG = new QuietLog(ReservedRegion.class);

    private final RegionScrubber scrubber;

    /** Offsets of ranges whose pages a holder may keep unseen: they must not be the next tenant's. */
    private final Set<Long> lent = ConcurrentHashMap.newKeySet();

    /** Whether holders of dma-bufs can keep pages unseen. */
    private boolean lending;

    /** Bytes up to which a buffer is in one physical run. */
    private long run = Bytes.PAGE;

    private ReservedRegion(
            String heap,
            RegionLayout layout,
            Syscalls syscalls,
            RegionMemory memory,
            RegionAllocator blocks,
            HolderTracker holders) {
        super(heap, layout, syscalls, memory, blocks, holders);
        this.scrubber = new RegionScrubber(heap, lifetime, blocks, memory, lent);
    }

    /**
     * Takes the memory, all of it. Nothing is zeroed before {@link #start}.
     *
     * @throws HeapException with nothing held: {@link Errno#ENOMEM} with what is missing, {@link Errno#EINVAL} for a
     *     layout that cannot be, any other as the kernel has it
     */
    static ReservedRegion open(
            String heap,
            RegionLayout layout,
            Syscalls syscalls,
            Headroom headroom,
            HugePages hugePages,
            Supplier<HolderTracker> tracker) {
        layout.requireReservable(heap);
        RegionAllocator blocks = new RegionAllocator(heap, layout.size(), layout.granule());
        RegionMemory memory = RegionMemory.reserve(heap, layout, syscalls, headroom, hugePages);
        try {
            return new ReservedRegion(heap, layout, syscalls, memory, blocks, tracker.get());
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    void start() {
        scrubber.start();
    }

    /** @throws HeapException also where huge pages could be kept, which cannot be replaced */
    @Override
    void tryOut(Udmabuf device) {
        int dmaBuf = device.create(memory.fd(), layout.size() - Bytes.PAGE, Bytes.PAGE, heap); // within a huge page
        try (HolderWatch _ = watch(Bytes.PAGE, dmaBuf)) {
            new DmaBufSync(syscalls, heap, Bytes.PAGE, false).prepare(dmaBuf);
            boolean lends = device.lendsPages(dmaBuf);
            if (lends && layout.isOnHugePages()) {
                throw HeapException.of(
                        Errno.ENOTSUP,
                        heap,
                        "a holder of a dma-buf of huge pages could read the buffer that has its"
                                + " range next, since this kernel lets it keep the pages in a pipe; take Linux 6.11 or"
                                + " later, or pages of 4 KiB");
            }
            lending = lends;
            run = layout.pageSize();
        } finally {
            syscalls.close(dmaBuf);
        }
    }

    /**
     * Tracks a memfd of one page, and so takes at the start what that needs.
     *
     * @throws HeapException where it cannot be tracked
     */
    void tryToTrackMemfds() {
        int page = new Memfd(syscalls).create(heap, heap, Bytes.PAGE, Memfd.F_SEAL_SEAL);
        try (HolderWatch _ = watch(Bytes.PAGE, page)) {
            // Nothing waits for this one.
        } finally {
            syscalls.close(page);
        }
    }

    /** {@return bytes up to which, and to a multiple of which, a buffer is in one physical run} */
    long run() {
        return run;
    }

    @Override
    long take(HeapRequest request, long size) {
        return take(size, request.alignment(), request.size(), false);
    }

    /**
     * {@inheritDoc}
     *
     * <p>A range that lost its pages to an earlier such buffer costs nothing. The offset is aligned to nothing, since
     * it is no part of the buffer's address.
     */
    @Override
    long takeUnbacked(HeapRequest request, long size) {
        return take(size, 1, request.size(), memory.canBeUnbacked());
    }

    /** @param asked bytes that the client asked for, named in a refusal */
    private long take(long size, long alignment, long asked, boolean unbacked) {
        enter();
        long offset = -1;
        try {
            offset = unbacked ? findUnbacked(size) : find(size, alignment);
            if (offset < 0) {
                offset = scrubber.drainFor(() -> unbacked ? findUnbacked(size) : find(size, alignment));
            }
            if (offset < 0) {
                throw full(asked);
            }
            return offset;
        } finally {
            if (offset < 0) {
                lifetime.leave();
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

    private long findUnbacked(long size) {
        long granule = layout.granule();
        long offset = scrubber.takeUnbacked(size + granule - 1 & -granule);
        if (offset >= 0) {
            blocks.reuse(offset);
            return offset;
        }
        offset = find(size, 1);
        if (offset >= 0) {
            memory.unback(offset, blocks.size(offset)); // else the range stays zero, and held twice
        }
        return offset;
    }

    private HeapException full(long asked) {
        RegionAllocator.Figures now = blocks.figures(run);
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                asked + " bytes do not fit: " + Bytes.text(now.free())
                        + " free, largest run " + Bytes.text(now.largestFree())
                        + (now.quarantined() == 0
                                ? ""
                                : ", " + Bytes.text(now.quarantined()) + " closed and still held elsewhere")
                        + (now.dirty() == 0 ? "" : ", " + Bytes.text(now.dirty())
                                + " waiting to be zeroed, or for memory of the machine")
                        + "; raise " + layout.setting() + " or free a buffer");
    }

    @Override
    int export(long offset, long size, String name) {
        if (lending) {
            lent.add(offset);
        }
        return super.export(offset, size, name);
    }

    @Override
    void giveBack(long offset) {
        blocks.discard(offset);
        scrubber.wake();
        lifetime.leave();
    }

    @Override
    void giveBackUnbacked(long offset) {
        blocks.retire(offset);
        try {
            if (memory.canBeUnbacked()) {
                scrubber.backLater(offset);
            } else {
                blocks.free(offset);
            }
        } finally {
            lifetime.leave();
        }
    }

    /** Without tenants and holders the memory is the machine's again when {@link #close} returns. */
    @Override
    void stop() {
        scrubber.end();
        memory.departed();
        RegionAllocator.Figures now = blocks.figures(1);
        long held = now.size() - now.free() - now.dirty();
        if (held > 0) {
            LOG.write(
                    Level.INFO,
                    "heap ''{0}'' has left with {1} in buffers that are not released, or that are still held"
                            + " elsewhere; its region of {2} stays until they are",
                    heap,
                    Bytes.text(held),
                    Bytes.text(now.size()));
        }
    }

    @Override
    void end() {
        memory.gone();
        super.end();
        LOG.write(Level.DEBUG, "heap ''{0}'': its region of {1} was given back", heap, Bytes.text(layout.size()));
    }
}
