// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.LargeFolios;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.kernel.Pieces;
import org.dmabuf.heap.linux.kernel.Udmabuf;
import org.dmabuf.heap.linux.libc.Memset;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Memory of one region: one sealed memfd, mapped once for life. Its descriptor is never exported, because it exposes
 * all buffers.
 */
final class RegionMemory {
    private static final int MADV_NOHUGEPAGE = 15;

    /** Bytes of regions of departed heaps that still have buffers, by the heap's name. */
    private static final Map<String, Long> DEPARTED = new ConcurrentHashMap<>();

    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;
    private final Memfd memfd;
    private final Mmap mmap;
    private final RegionLayout layout;
    private final int fd;
    private final long inLargeFolios;
    private final MemorySegment mapping;
    /**
     * Bytes that the headroom counts in full: all except unbacked ranges; 0 on huge pages, which are separate memory.
     */
    private final AtomicLong held = new AtomicLong();

    private final String swappable;

    private RegionMemory(
            String heap,
            Syscalls syscalls,
            Headroom headroom,
            RegionLayout layout,
            NewMemfd made,
            MemorySegment mapping,
            long backed,
            String swappable) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.memfd = new Memfd(syscalls);
        this.mmap = new Mmap(syscalls);
        this.layout = layout;
        this.fd = made.fd();
        this.inLargeFolios = made.inLargeFolios();
        this.mapping = mapping;
        this.swappable = swappable;
        if (canBeUnbacked()) {
            hold(backed); // last, because nothing may fail after it
        }
    }

    /** Counts a range, but not twice: a range whose pages could not be released is still backed. */
    void hold(long bytes) {
        long before;
        long after;
        do {
            before = held.get();
            after = Math.clamp(before + bytes, 0, layout.size());
        } while (!held.compareAndSet(before, after));
        headroom.hold(after - before);
    }

    /**
     * Allocates the memory zeroed, with every page, and locked if the process may lock as much.
     *
     * @param heap named in refusals
     * @param layout size and pages of the region
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory, which does not include huge pages; these can be charged to the
     *     cgroup
     * @param hugePages the machine's huge pages
     * @return the memory, which the caller closes
     * @throws HeapException with nothing held; {@link Errno#EINVAL} for a size that is not in whole pages or pages that
     *     do not exist, {@link Errno#ENOMEM} with the amount of missing memory
     */
    static RegionMemory reserve(
            String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom, HugePages hugePages) {
        long size = layout.size();
        long pageSize = layout.pageSize();
        if (pageSize < Bytes.PAGE || Long.bitCount(pageSize) != 1 || size <= 0 || size % pageSize != 0) {
            throw HeapException.of(
                    Errno.EINVAL,
                    heap,
                    "invalid region of " + size + " bytes on pages of " + pageSize
                            + " bytes: expected a page size that is a power of two of at least " + Bytes.PAGE
                            + ", and a positive multiple of it; change " + layout.setting());
        }
        if (layout.isOnHugePages()) {
            hugePages.require(heap, size, pageSize, heldByDeparted(heap));
            return hugePages.areCharged()
                    ? takeWithin(headroom.setAside(), heap, layout, syscalls, headroom, hugePages)
                    : take(heap, layout, syscalls, headroom, hugePages);
        }
        return takeWithin(headroom, heap, layout, syscalls, headroom, hugePages);
    }

    /**
     * Allocates within the headroom. The kernel would fill a cgroup to its limit, and at the next page end a process.
     */
    private static RegionMemory takeWithin(
            Headroom limits,
            String heap,
            RegionLayout layout,
            Syscalls syscalls,
            Headroom headroom,
            HugePages hugePages) {
        try {
            limits.reserve(heap, layout.size());
        } catch (HeapException e) {
            throw HeapException.of(e.errno(), heap, e.reason() + heldByDeparted(heap), e);
        }
        try {
            return take(heap, layout, syscalls, headroom, hugePages);
        } finally {
            limits.settle(layout.size());
        }
    }

    private static RegionMemory take(
            String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom, HugePages hugePages) {
        long size = layout.size();
        Memfd memfd = new Memfd(syscalls);
        int seals = Memfd.F_SEAL_SEAL; // not against writing, because udmabuf does not accept a memfd with such a seal
        NewMemfd made;
        try {
            made = keepsAllPages(heap, layout, syscalls)
                    ? memfd.create(heap, heap, size, seals, new LargeFolios(heap, syscalls))
                    : new NewMemfd(memfd.create(heap, heap, size, seals, HugePages.flags(layout.pageSize())), 0);
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM || !layout.isOnHugePages()) {
                throw e;
            }
            hugePages.require(heap, size, layout.pageSize(), heldByDeparted(heap));
            throw HeapException.of(Errno.ENOMEM, heap, e.reason() + hugePages.otherLimit(layout.pageSize()), e);
        }
        try {
            Mmap mmap = new Mmap(syscalls);
            MemorySegment mapping = mmap.mapToKeep(heap, made.fd(), size);
            try {
                String swappable = layout.isOnHugePages() ? "" : lock(heap, syscalls, mapping);
                return new RegionMemory(heap, syscalls, headroom, layout, made, mapping, size, swappable);
            } catch (RuntimeException | Error e) {
                mmap.unmap(mapping);
                throw e;
            }
        } catch (RuntimeException | Error e) {
            syscalls.close(made.fd());
            throw e;
        }
    }

    /**
     * Returns whether no part of the memory returns to the machine before the end. Otherwise it has small pages: a
     * holder of a part of a large folio keeps all of it, so that a hole beside that part would release no memory.
     */
    private static boolean keepsAllPages(String heap, RegionLayout layout, Syscalls syscalls) {
        return !layout.isOnHugePages()
                && layout.exports() != RegionLayout.Exports.MEMFD
                && Udmabuf.isSafe(heap, syscalls);
    }

    /**
     * Makes a region whose ranges are all unbacked. Pages are added through a mapping without huge pages, because
     * fallocate(2) could make huge pages, depending on the machine's settings. If a holder keeps a part of a huge page,
     * {@link #unback} zeroes that part but leaves the page in the file. The next buffer would share it with the holder.
     *
     * @param heap named in refusals
     * @param layout size of the region
     * @param syscalls the kernel
     * @param headroom counts the backed ranges
     * @return the memory, which the caller closes
     * @throws HeapException the kernel's refusal; nothing is held
     */
    static RegionMemory unbacked(String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom) {
        int fd = new Memfd(syscalls).createEmpty(heap, layout.size());
        try {
            MemorySegment mapping = new Mmap(syscalls).mapEmpty(heap, fd, layout.size());
            // EINVAL: the kernel has no huge pages.
            int _ = syscalls.madvise(mapping.address(), mapping.byteSize(), MADV_NOHUGEPAGE);
            return new RegionMemory(heap, syscalls, headroom, layout, new NewMemfd(fd, 0), mapping, 0, "");
        } catch (RuntimeException | Error e) {
            syscalls.close(fd);
            throw e;
        }
    }

    /** Locks the memory. {@return why it can be swapped out, empty if it cannot} */
    private static String lock(String heap, Syscalls syscalls, MemorySegment mapping) {
        int result = syscalls.mlock(mapping.address(), mapping.byteSize());
        return result == 0
                ? ""
                : KernelError.of(heap, "mlock of " + Bytes.text(mapping.byteSize()), result)
                        .reason();
    }

    /** {@return why it can be swapped out, with the remedy; empty if it cannot} */
    String swappable() {
        return swappable;
    }

    /** {@return bytes that lie in large folios} */
    long inLargeFolios() {
        return inLargeFolios;
    }

    /** {@return the memfd, which must not be exported} */
    int fd() {
        return fd;
    }

    /** {@return a view of a part, valid until {@link #close}} */
    MemorySegment slice(long offset, long size) {
        return mapping.asSlice(offset, size);
    }

    /**
     * Zeroes a backed range without a buffer.
     *
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted between two pieces
     */
    void clear(long offset, long size) {
        for (long done = 0; done < size; ) {
            long piece = Pieces.next(heap, done, size);
            Memset.clear(mapping.address() + offset + done, piece);
            done += piece;
        }
    }

    /**
     * Adds zeroed pages to an unbacked range without a buffer, and counts them.
     *
     * @return false when memory is short; the range may have some pages then
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted between two pieces; the range may have
     *     some pages then
     */
    boolean back(long offset, long size) {
        try {
            headroom.reserve(heap, size);
        } catch (HeapException e) {
            return false;
        }
        try {
            boolean backed = fill(offset, size);
            if (backed) {
                hold(size);
            }
            return backed;
        } finally {
            headroom.settle(size);
        }
    }

    /**
     * Adds pages to a range without a buffer. The caller counts them.
     *
     * @return false when there is not enough memory for the whole range
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted between two pieces
     */
    boolean fill(long offset, long size) {
        return mmap.fill(heap, mapping.asSlice(offset, size));
    }

    /**
     * {@return whether ranges can be unbacked; not on huge pages, which return to their pool and not to the machine}
     */
    boolean canBeUnbacked() {
        return !layout.isOnHugePages();
    }

    /**
     * Releases the pages of a range to the machine. A dma-buf of the range keeps its pages, which then no longer belong
     * to the region. An unbacked range must not be accessed before it is {@linkplain #back backed} again.
     *
     * @param offset of a range without a buffer, or of a buffer with separate memory
     * @return 0, or a negative error number; zeroed memory is still zero then
     */
    int unback(long offset, long size) {
        int result = memfd.punch(fd, offset, size);
        if (result == 0) {
            hold(-size);
        }
        return result;
    }

    /** {@return bytes of memory that the region has now, or a negative error number} */
    long occupied() {
        return syscalls.allocated(fd);
    }

    /** Records that the heap has left while its region still exists. */
    void departed() {
        DEPARTED.merge(heap, layout.size(), Long::sum);
    }

    /** Undoes {@link #departed}. */
    void gone() {
        DEPARTED.computeIfPresent(heap, (_, bytes) -> bytes == layout.size() ? null : bytes - layout.size());
    }

    /** {@return a part of an error message, empty if no departed heap of that name still has a region} */
    private static String heldByDeparted(String heap) {
        Long bytes = DEPARTED.get(heap);
        return bytes == null
                ? ""
                : " (" + Bytes.text(bytes)
                        + " stay with buffers of an earlier heap of this name until they are released)";
    }

    void close() {
        hold(-held.get());
        mmap.unmap(mapping);
        syscalls.close(fd);
    }
}
