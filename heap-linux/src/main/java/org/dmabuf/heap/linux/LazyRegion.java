// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * A region at work that has memory only where it has buffers: one sealed memfd, mapped once for life, and the books of
 * who has what. Its descriptor never leaves the process, since it shows every tenant. It lives until it was closed and
 * the last buffer was released.
 *
 * <p>What is released is given back to the machine by a hole in the memfd. Whoever still holds a dma-buf of the range
 * keeps the pages that it had, and these are no longer the region's: the range can be handed out at once, on others.
 * That holds for single pages only. A huge one of which a part is held is not taken apart, but left in the file with
 * zeroes, for the next tenant and the old peer to share; so the region is filled through its mapping, which is told to
 * have none, and not by fallocate(2), to which the machine's settings may give some.
 *
 * <p>Any thread may call any method.
 */
final class LazyRegion {
    private static final QuietLog LOG = new QuietLog(LazyRegion.class);
    private static final int MADV_NOHUGEPAGE = 15;

    final String heap;
    final LazyRegionLayout layout;
    final Syscalls syscalls;
    private final Headroom headroom;
    private final Memfd memfd;
    private final Mmap mmap;
    private final RegionAllocator blocks;
    private final int fd;
    private final MemorySegment mapping;
    /** Bytes that the headroom counts in full: of all ranges that have memory, or may have. */
    private final AtomicLong held = new AtomicLong();

    /** Makes dma-bufs of ranges; null where exported buffers are memfds of their own. Set once, before any buffer. */
    private Udmabuf udmabuf;

    private final AtomicLong holders = new AtomicLong(1);
    private final AtomicBoolean closed = new AtomicBoolean();

    private LazyRegion(
            String heap,
            LazyRegionLayout layout,
            Syscalls syscalls,
            Headroom headroom,
            RegionAllocator blocks,
            int fd,
            MemorySegment mapping) {
        this.heap = heap;
        this.layout = layout;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.memfd = new Memfd(syscalls);
        this.mmap = new Mmap(syscalls);
        this.blocks = blocks;
        this.fd = fd;
        this.mapping = mapping;
    }

    /**
     * Makes a region without memory.
     *
     * @throws HeapException with nothing held: {@link Errno#EINVAL} for a layout that cannot be, any other as the
     *     kernel has it
     */
    static LazyRegion open(String heap, LazyRegionLayout layout, Syscalls syscalls, Headroom headroom) {
        if (layout.alignmentCap() < Bytes.PAGE || Long.bitCount(layout.alignmentCap()) != 1) {
            throw new HeapException(
                    Errno.EINVAL,
                    heap,
                    "heap '" + heap + "': a cap of " + layout.alignmentCap()
                            + " bytes on alignments is not a power of two of at least a page, " + Bytes.PAGE);
        }
        RegionAllocator blocks = new RegionAllocator(heap, layout.size(), Bytes.PAGE);
        int fd = new Memfd(syscalls).createEmpty(heap, layout.size());
        try {
            MemorySegment mapping = new Mmap(syscalls).mapEmpty(heap, fd, layout.size());
            int _ = syscalls.madvise(mapping.address(), mapping.byteSize(), MADV_NOHUGEPAGE); // EINVAL: there are none
            return new LazyRegion(heap, layout, syscalls, headroom, blocks, fd, mapping);
        } catch (RuntimeException | Error e) {
            syscalls.close(fd);
            throw e;
        }
    }

    /**
     * Lets ranges be exported, when a dma-buf of one works with its brackets: that is tried on one page.
     *
     * @throws HeapException when it does not; nothing more is held then
     */
    void openUdmabuf(Udmabuf device) {
        boolean works = false;
        long page = -1;
        try {
            // One page, without a look at the headroom: a machine that is short now is no machine without udmabuf.
            page = take(Bytes.PAGE, Bytes.PAGE);
            hold(Bytes.PAGE);
            fill(page, Bytes.PAGE);
            int dmaBuf = device.create(fd, page, Bytes.PAGE, heap);
            try {
                new Brackets(syscalls, heap, Bytes.PAGE, false).prepare(dmaBuf);
            } finally {
                syscalls.close(dmaBuf);
            }
            udmabuf = device;
            works = true;
        } finally {
            if (page >= 0) {
                giveBack(page);
            }
            if (!works) {
                device.close();
            }
        }
    }

    /** {@return what makes dma-bufs of ranges, null where exported buffers are memfds of their own} */
    Udmabuf udmabuf() {
        return udmabuf;
    }

    RegionAllocator blocks() {
        return blocks;
    }

    /**
     * Takes a range, which has no memory, and holds the region for it until {@link #giveBack} or {@link #leaveEmpty}.
     *
     * @param size bytes, whole pages
     * @param alignment bytes, a power of two: at least so much
     * @return its offset
     * @throws HeapException {@link Errno#ENOMEM} when there is no place, {@link Errno#ENODEV} when the heap has gone
     */
    long take(long size, long alignment) {
        if (closed.get() || !tryHold()) {
            throw new HeapException(
                    Errno.ENODEV, heap, "heap '" + heap + "' has gone; use a heap that is announced");
        }
        long offset = -1;
        try {
            long aligned = Math.max(alignment, RegionAllocator.alignment(size, layout.alignmentCap()));
            offset = blocks.allocate(size, aligned);
            if (offset < 0 && giveBackAgain()) {
                offset = blocks.allocate(size, aligned);
            }
            if (offset < 0) {
                throw full(size, aligned);
            }
            return offset;
        } finally {
            if (offset < 0) {
                leave();
            }
        }
    }

    private HeapException full(long size, long alignment) {
        RegionAllocator.Figures now = blocks.figures(layout.alignmentCap());
        return new HeapException(
                Errno.ENOMEM,
                heap,
                "heap '" + heap + "': " + Bytes.text(size) + " in one piece, aligned to " + Bytes.text(alignment)
                        + ", do not fit: " + Bytes.text(now.free()) + " free, largest run "
                        + Bytes.text(now.largestFree())
                        + (now.dirty() == 0
                                ? ""
                                : ", " + Bytes.text(now.dirty()) + " that the kernel did not take back")
                        + "; raise " + layout.setting() + " or close a buffer");
    }

    /**
     * Takes a range with memory, zeroed, so that touching it cannot fail. It holds the region until {@link #giveBack}.
     *
     * @throws HeapException as {@link #take}, and {@link Errno#ENOMEM} when the machine has no memory; nothing is held
     */
    long takeFilled(long size, long alignment) {
        long offset = take(size, alignment);
        boolean reserved = false;
        boolean filled = false;
        try {
            headroom.reserve(heap, size);
            reserved = true;
            fill(offset, size);
            filled = true;
            return offset;
        } finally {
            if (reserved) {
                hold(size);
                headroom.settle(size);
            }
            if (!reserved) {
                leaveEmpty(offset);
            } else if (!filled) {
                giveBack(offset); // some of it may have memory
            }
        }
    }

    private void fill(long offset, long size) {
        if (!mmap.fill(mapping.asSlice(offset, size))) {
            throw new HeapException(
                    Errno.ENOMEM,
                    heap,
                    "heap '" + heap + "': the machine has no memory for " + Bytes.text(size)
                            + "; ask for less, or close buffers");
        }
    }

    private void hold(long bytes) {
        held.addAndGet(bytes);
        headroom.hold(bytes);
    }

    /** {@return a view of a range, valid as long as its buffer} */
    MemorySegment slice(long offset, long size) {
        return mapping.asSlice(offset, size);
    }

    /** {@return a dma-buf of a range that has memory; it keeps that memory, and the caller closes it} */
    int export(long offset, long size, String name) {
        return udmabuf.create(fd, offset, size, name);
    }

    /** {@return bytes of memory that the region has now, or a negative error number} */
    long occupied() {
        return syscalls.allocated(fd);
    }

    /** Ends a tenancy that may have memory. What the kernel does not take back now waits, and nobody gets it. */
    void giveBack(long offset) {
        long size = blocks.size(offset);
        int result = memfd.punch(fd, offset, size);
        if (result == 0) {
            hold(-size);
            blocks.free(offset);
        } else {
            blocks.discard(offset);
            LOG.write(
                    Level.WARNING,
                    "heap ''{0}'': the kernel did not take back {1} of the region ({2}); tried again when an allocation"
                            + " needs them",
                    heap,
                    Bytes.text(size),
                    Errno.of(-result));
        }
        leave();
    }

    /** {@return whether some of what the kernel did not take back is free now} */
    private boolean giveBackAgain() {
        boolean some = false;
        for (long offset = blocks.takeDirty(); offset >= 0; offset = blocks.takeDirty()) {
            long size = blocks.size(offset);
            if (memfd.punch(fd, offset, size) != 0) {
                blocks.discard(offset);
                return some;
            }
            hold(-size);
            blocks.free(offset);
            some = true;
        }
        return some;
    }

    /** Ends a tenancy that had memory of its own: the range is as empty as it was. */
    void leaveEmpty(long offset) {
        blocks.free(offset);
        leave();
    }

    private boolean tryHold() {
        long now;
        do {
            now = holders.get();
            if (now == 0) {
                return false;
            }
        } while (!holders.compareAndSet(now, now + 1));
        return true;
    }

    private void leave() {
        if (holders.decrementAndGet() == 0) {
            if (udmabuf != null) {
                udmabuf.close();
            }
            hold(-held.get());
            mmap.unmap(mapping);
            syscalls.close(fd);
        }
    }

    /** Refuses allocations, and leaves. Closing twice does nothing. */
    void close() {
        if (closed.compareAndSet(false, true)) {
            leave();
        }
    }
}
