// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

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
 * Region whose memory is reserved at the start, with a thread that zeroes released ranges. A range that holders may
 * still access is quarantined until the last of them is gone.
 */
final class ReservedRegion extends Region {
    private static final QuietLog LOG = new QuietLog(ReservedRegion.class);

    private final RegionScrubber scrubber;

    /**
     * Offsets of ranges whose pages a holder may keep without being detected. The next buffer must not get these pages.
     */
    private final Set<Long> lent = ConcurrentHashMap.newKeySet();

    /** Whether holders of dma-bufs can keep pages without being detected. */
    private volatile boolean lending;

    /** Size up to which a buffer is physically contiguous. */
    private volatile long run = Bytes.PAGE;

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
     * Reserves all of the memory. Nothing is zeroed before {@link #start}.
     *
     * @throws HeapException with nothing held; {@link Errno#ENOMEM} with the amount of missing memory,
     *     {@link Errno#EINVAL} for an invalid layout, or any other error of the kernel
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

    /** @throws HeapException also if a holder could keep huge pages, because these cannot be replaced */
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
                        "a holder of a dma-buf of huge pages could keep them in a pipe and read the next"
                                + " buffer in its range; use Linux 6.11 or later, or ordinary pages");
            }
            lending = lends;
            run = layout.pageSize();
        } finally {
            syscalls.close(dmaBuf);
        }
    }

    /**
     * Tracks a memfd of one page, so that the resources for tracking are taken at the start.
     *
     * @throws HeapException if it cannot be tracked
     */
    void tryToTrackMemfds() {
        int page = new Memfd(syscalls).create(heap, heap, Bytes.PAGE, Memfd.F_SEAL_SEAL);
        try (HolderWatch _ = watch(Bytes.PAGE, page)) {
            // No watch waits for this file.
        } finally {
            syscalls.close(page);
        }
    }

    /**
     * {@return bytes of physically contiguous memory: a buffer up to this size is one physical run; a larger one has
     * runs of multiples of it}
     */
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
     * <p>A range without pages, left by an earlier such buffer, is reused at no cost. The offset has no alignment,
     * because it is not a part of the buffer's address.
     */
    @Override
    long takeUnbacked(HeapRequest request, long size) {
        return take(size, 1, request.size(), memory.canBeUnbacked());
    }

    /** @param asked requested bytes, named in the exception */
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
     * Searches for a place. A buffer up to the size of a page must not cross a page boundary, and a larger one must
     * begin at a page. The pages are the announced physical runs.
     */
    private long find(long size, long alignment) {
        long page = run;
        if (size > page) {
            return blocks.allocate(size, Math.max(alignment, page));
        }
        long offset = blocks.allocate(size, alignment);
        if (offset >= 0 && (offset & -page) != (offset + size - 1 & -page)) {
            blocks.free(offset);
            offset = blocks.allocate(size, Math.max(alignment, RegionAllocator.alignment(size, page)));
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
            memory.unback(offset, blocks.size(offset)); // on failure the range stays zeroed, and is held twice
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
                                : ", " + Bytes.text(now.quarantined()) + " released but still held")
                        + (now.dirty() == 0
                                ? ""
                                : ", " + Bytes.text(now.dirty()) + " waiting to be zeroed, or for pages")
                        + "; raise " + layout.setting() + " or close a buffer");
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

    /** Without buffers and holders, the memory is released when {@link #close} returns. */
    @Override
    void stop() {
        scrubber.end();
        memory.departed();
        RegionAllocator.Figures now = blocks.figures(1);
        long held = now.size() - now.free() - now.dirty();
        if (held > 0) {
            LOG.info(
                    "heap '{}' has left; its region of {} stays until the buffers in {} of it are released and"
                            + " have no holder",
                    heap,
                    Bytes.text(now.size()),
                    Bytes.text(held));
        }
    }

    @Override
    void end() {
        memory.gone();
        super.end();
        LOG.debug("heap '{}': its region of {} was released", heap, Bytes.text(layout.size()));
    }
}
