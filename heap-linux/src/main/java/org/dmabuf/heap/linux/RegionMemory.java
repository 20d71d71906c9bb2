// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * The memory of one region: one memfd, sealed, mapped once for life, with every page of it there, and locked where the
 * process may lock as much. Its descriptor never
 * leaves the process, since it shows every tenant.
 */
final class RegionMemory {
    private static final int PUNCH_HOLE_KEEP_SIZE = 0x3; // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

    /** Bytes of regions that left and still have tenants, by the heap's name. */
    private static final Map<String, Long> DEPARTED = new ConcurrentHashMap<>();

    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;
    private final Mmap mmap;
    private final RegionLayout layout;
    private final int fd;
    private final MemorySegment mapping;
    /** Bytes that the headroom counts in full: all but hollow blocks; none of huge pages, which are other memory. */
    private final AtomicLong held = new AtomicLong();
    private final String swappable;

    private RegionMemory(
            String heap,
            Syscalls syscalls,
            Headroom headroom,
            RegionLayout layout,
            int fd,
            MemorySegment mapping,
            String swappable) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.mmap = new Mmap(syscalls);
        this.layout = layout;
        this.fd = fd;
        this.mapping = mapping;
        this.swappable = swappable;
        if (canBeHollow()) {
            hold(layout.size()); // last: nothing fails after it
        }
    }

    /** Counts no block twice: one that was not emptied when it should have been is filled all the same. */
    private void hold(long bytes) {
        long before;
        long after;
        do {
            before = held.get();
            after = Math.clamp(before + bytes, 0, layout.size());
        } while (!held.compareAndSet(before, after));
        headroom.hold(after - before);
    }

    /**
     * Takes the memory, zeroed.
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
            throw new HeapException(
                    Errno.EINVAL,
                    heap,
                    "heap '" + heap + "': " + size + " bytes are no region on pages of " + pageSize
                            + " bytes; a page's size is a power of two of at least " + Bytes.PAGE
                            + ", and the region a positive multiple of it: change " + layout.setting());
        }
        if (layout.isOnHugePages()) {
            hugePages.require(heap, size, pageSize);
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
            throw new HeapException(e.errno(), heap, e.getMessage() + heldByDeparted(heap), e);
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
            hugePages.require(heap, size, layout.pageSize());
            throw new HeapException(
                    Errno.ENOMEM, heap, e.getMessage() + hugePages.otherLimit(layout.pageSize()), e);
        }
        try {
            MemorySegment mapping = new Mmap(syscalls).mapToKeep(heap, fd, size);
            String swappable = layout.isOnHugePages() ? "" : lock(heap, syscalls, mapping);
            return new RegionMemory(heap, syscalls, headroom, layout, fd, mapping, swappable);
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
                : Refusal.of(heap, "mlock of " + Bytes.text(mapping.byteSize()), result)
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

    /** Makes a block zero that has no tenant and is not hollow. */
    void clear(long offset, long size) {
        Memset.clear(mapping.address() + offset, size);
    }

    /**
     * Puts pages, zeroed, behind a block that has no tenant and is hollow.
     *
     * @return false when the machine has none now; the block is as hollow as it was, or less
     */
    boolean fill(long offset, long size) {
        try {
            headroom.reserve(heap, size);
        } catch (HeapException e) {
            return false;
        }
        try {
            boolean filled = mmap.fill(mapping.asSlice(offset, size));
            if (filled) {
                hold(size);
            }
            return filled;
        } finally {
            headroom.settle(size);
        }
    }

    /** {@return whether blocks can be hollow: huge pages go back to their pool and not to the machine} */
    boolean canBeHollow() {
        return !layout.isOnHugePages();
    }

    /**
     * Gives the pages of a block back to the machine, as long as the block's tenant has memory of its own. What is not
     * there must not be touched before it is {@linkplain #fill filled}.
     *
     * @param offset of a block that has no tenant
     * @return whether the pages are gone; else what was zero is zero
     */
    boolean hollow(long offset, long size) {
        int result;
        do {
            result = syscalls.fallocate(fd, PUNCH_HOLE_KEEP_SIZE, offset, size);
        } while (result == -Errno.EINTR.number());
        if (result == 0) {
            hold(-size);
        }
        return result == 0;
    }

    /** Says that the heap has left and its region stays. */
    void departed() {
        DEPARTED.merge(heap, layout.size(), Long::sum);
    }

    /** Takes back {@link #departed}. */
    void gone() {
        DEPARTED.computeIfPresent(heap, (_, bytes) -> bytes == layout.size() ? null : bytes - layout.size());
    }

    /** {@return a part of a sentence, empty when no region of a heap of that name has left and stayed} */
    static String heldByDeparted(String heap) {
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
