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
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.Pieces;
import org.dmabuf.heap.linux.libc.Memset;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Memory of one region: one memfd, sealed, and mapped once for life. Its descriptor never leaves the process, since it
 * shows every tenant.
 */
final class RegionMemory {
    private static final int MADV_NOHUGEPAGE = 15;

    /** Bytes of regions that left and still have tenants, by the heap's name. */
    private static final Map<String, Long> DEPARTED = new ConcurrentHashMap<>();

    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;
    private final Memfd memfd;
    private final Mmap mmap;
    private final RegionLayout layout;
    private final int fd;
    private final MemorySegment mapping;
    /** Bytes that the headroom counts in full: all but unbacked ranges; none of huge pages, which are other memory. */
    private final AtomicLong held = new AtomicLong();
    private final String swappable;

    private RegionMemory(
            String heap,
            Syscalls syscalls,
            Headroom headroom,
            RegionLayout layout,
            int fd,
            MemorySegment mapping,
            long backed,
            String swappable) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.memfd = new Memfd(syscalls);
        this.mmap = new Mmap(syscalls);
        this.layout = layout;
        this.fd = fd;
        this.mapping = mapping;
        this.swappable = swappable;
        if (canBeUnbacked()) {
            hold(backed); // last: nothing fails after it
        }
    }

    /** Counts no range twice: one that was not emptied when it should have been is backed all the same. */
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
     * Takes the memory, zeroed, with every page there, and locked where the process may lock as much.
     *
     * @param heap named in refusals
     * @param layout its size and pages
     * @param syscalls the kernel
     * @param headroom what the machine has left; huge pages are none of it, and can be charged to the cgroup
     * @param hugePages what the machine has of these
     * @return memory, to be closed
     * @throws HeapException with nothing held: {@link Errno#EINVAL} for a size in no whole pages or pages that there
     *     are none of, {@link Errno#ENOMEM} with what is missing
     */
    static RegionMemory reserve(
            String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom, HugePages hugePages) {
        long size = layout.size();
        long pageSize = layout.pageSize();
        if (pageSize < Bytes.PAGE || Long.bitCount(pageSize) != 1 || size <= 0 || size % pageSize != 0) {
            throw HeapException.of(
                    Errno.EINVAL,
                    heap,
                    "" + size + " bytes are no region on pages of " + pageSize
                            + " bytes; a page's size is a power of two of at least " + Bytes.PAGE
                            + ", and the region a positive multiple of it: change " + layout.setting());
        }
        if (layout.isOnHugePages()) {
            hugePages.require(heap, size, pageSize, heldByDeparted(heap));
            return hugePages.areCharged()
                    ? takeWithin(headroom.setAside(), heap, layout, syscalls, headroom, hugePages)
                    : take(heap, layout, syscalls, headroom, hugePages);
        }
        return takeWithin(headroom, heap, layout, syscalls, headroom, hugePages);
    }

    /** The kernel would fill a cgroup to its limit before it refuses, and end a process of it at the next page. */
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
        int fd;
        try {
            // No seal against writing: udmabuf takes no memfd that has one.
            fd = new Memfd(syscalls)
                    .create(heap, heap, size, Memfd.F_SEAL_SEAL, HugePages.flags(layout.pageSize()));
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM || !layout.isOnHugePages()) {
                throw e;
            }
            hugePages.require(heap, size, layout.pageSize(), heldByDeparted(heap));
            throw HeapException.of(
                    Errno.ENOMEM, heap, e.reason() + hugePages.otherLimit(layout.pageSize()), e);
        }
        try {
            MemorySegment mapping = new Mmap(syscalls).mapToKeep(heap, fd, size);
            String swappable = layout.isOnHugePages() ? "" : lock(heap, syscalls, mapping);
            return new RegionMemory(heap, syscalls, headroom, layout, fd, mapping, size, swappable);
        } catch (RuntimeException | Error e) {
            syscalls.close(fd);
            throw e;
        }
    }

    /**
     * Takes none: each range is unbacked. It is on ordinary pages, and backed through a mapping that is set to have no
     * huge ones. By fallocate(2) the machine's settings could give some; {@link #unback} leaves one of which a part is
     * held in the file, with zeroes, and the range's next tenant would share it with the former holder.
     *
     * @param heap named in refusals
     * @param layout its size
     * @param syscalls the kernel
     * @param headroom counts what is backed
     * @return memory, to be closed
     * @throws HeapException the kernel's refusal; nothing is held
     */
    static RegionMemory unbacked(String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom) {
        int fd = new Memfd(syscalls).createEmpty(heap, layout.size());
        try {
            MemorySegment mapping = new Mmap(syscalls).mapEmpty(heap, fd, layout.size());
            int _ = syscalls.madvise(mapping.address(), mapping.byteSize(), MADV_NOHUGEPAGE); // EINVAL: there are none
            return new RegionMemory(heap, syscalls, headroom, layout, fd, mapping, 0, "");
        } catch (RuntimeException | Error e) {
            syscalls.close(fd);
            throw e;
        }
    }

    /** {@return why it can be swapped out, empty when it cannot} */
    private static String lock(String heap, Syscalls syscalls, MemorySegment mapping) {
        int result = syscalls.mlock(mapping.address(), mapping.byteSize());
        return result == 0
                ? ""
                : KernelError.of(heap, "mlock of " + Bytes.text(mapping.byteSize()), result)
                        .reason();
    }

    /** {@return why it can be swapped out, with the remedy; empty when it cannot} */
    String swappable() {
        return swappable;
    }

    /** {@return the memfd, which must not leave the process} */
    int fd() {
        return fd;
    }

    /** {@return a view of some of it, valid until {@link #close}} */
    MemorySegment slice(long offset, long size) {
        return mapping.asSlice(offset, size);
    }

    /**
     * Makes a range zero that has no tenant and is backed.
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
     * Puts pages, zeroed, behind an unbacked range that has no tenant, and counts them.
     *
     * @return false when the machine has none now; the range is as unbacked as it was, or less
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted between two pieces; likewise
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
     * Puts pages behind a range that has no tenant. Whether it counts is up to the caller.
     *
     * @return false when there is no memory for all of the range
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted between two pieces
     */
    boolean fill(long offset, long size) {
        return mmap.fill(heap, mapping.asSlice(offset, size));
    }

    /** {@return whether ranges can be unbacked: huge pages go back to their pool and not to the machine} */
    boolean canBeUnbacked() {
        return !layout.isOnHugePages();
    }

    /**
     * Gives the pages of a range back to the machine. A dma-buf of the range keeps those that it had, and they are no
     * longer the region's. What is not there must not be touched before it is {@linkplain #back backed}.
     *
     * @param offset of a range that has no tenant, or one with memory of its own
     * @return 0, or a negative error number: what was zero is zero then
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

    /** To be called when the heap has left and its region stays. */
    void departed() {
        DEPARTED.merge(heap, layout.size(), Long::sum);
    }

    /** Takes back {@link #departed}. */
    void gone() {
        DEPARTED.computeIfPresent(heap, (_, bytes) -> bytes == layout.size() ? null : bytes - layout.size());
    }

    /** {@return a part of a sentence, empty when no region of a heap of that name has left and stayed} */
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
