// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.kernel.DmaBufDevices;
import org.dmabuf.heap.linux.kernel.Udmabuf;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Open region: its memory, and the assignment of ranges to buffers. It exists until it is closed and the last range is
 * returned.
 *
 * <p>Any thread may call any method.
 */
abstract class Region {
    final String heap;
    final RegionLayout layout;
    final Syscalls syscalls;
    final RegionMemory memory;
    final RegionAllocator blocks;
    final Tenants tenants = new Tenants();
    final RegionLifetime lifetime = new RegionLifetime(this::end);

    /** Tracks exported buffers; null if a range need not wait for the holders of its former buffer. */
    private final HolderTracker holders;

    /** Makes dma-bufs of ranges; null if exported buffers are separate memfds. Never null again once it is set. */
    private volatile Udmabuf udmabuf;

    /** Makes a region that owns the memory and the holder tracker. */
    Region(
            String heap,
            RegionLayout layout,
            Syscalls syscalls,
            RegionMemory memory,
            RegionAllocator blocks,
            HolderTracker holders) {
        this.heap = heap;
        this.layout = layout;
        this.syscalls = syscalls;
        this.memory = memory;
        this.blocks = blocks;
        this.holders = holders;
    }

    /**
     * Opens udmabuf for the export of ranges, if the layout permits it and it works. One thread at a time may call it,
     * while the region is open and has no udmabuf.
     *
     * @return why exports are not dma-bufs although they should be; empty if they are, or need not be
     * @throws HeapException if the layout permits only dma-bufs, or for a transient shortage
     */
    final String openUdmabuf() {
        if (layout.exports() == RegionLayout.Exports.MEMFD) {
            return "";
        }
        Udmabuf device = null;
        try {
            device = Udmabuf.open(heap, syscalls, Path.of(DmaBufDevices.UDMABUF_SIZE_LIMIT));
            tryOut(device);
            udmabuf = device;
            return "";
        } catch (HeapException e) {
            if (layout.exports() == RegionLayout.Exports.UDMABUF || e.errno().isTransient()) {
                throw e;
            }
            return e.reason();
        } finally {
            if (udmabuf == null && device != null) {
                device.close();
            }
        }
    }

    /**
     * Tests on one page the calls that an exported range needs.
     *
     * @throws HeapException if one of them fails
     */
    abstract void tryOut(Udmabuf device);

    /** {@return the maker of dma-bufs, null if exported buffers are separate memfds} */
    final Udmabuf udmabuf() {
        return udmabuf;
    }

    /**
     * Takes a range with zeroed memory. The region exists at least until its {@link #giveBack}.
     *
     * @param request the request, for its alignment
     * @param size bytes, whole pages
     * @return its offset
     * @throws HeapException {@link Errno#ENOMEM} when there is no free range or no memory, {@link Errno#ENODEV} when
     *     the heap has left; the call then holds nothing
     */
    abstract long take(HeapRequest request, long size);

    /**
     * Takes a range for a buffer with separate memory. The range must not be accessed, and has no pages if the region
     * supports that. The region exists at least until its {@link #giveBackUnbacked}.
     *
     * @param request its alignment is used only if the emulated rules include alignments
     * @param size bytes, whole pages
     * @return its offset
     * @throws HeapException as {@link #take}
     */
    abstract long takeUnbacked(HeapRequest request, long size);

    /** Returns a range whose contents the next buffer must not see. */
    abstract void giveBack(long offset);

    /** Returns the range of a buffer with separate memory. Its contents are unchanged. */
    abstract void giveBackUnbacked(long offset);

    /** Keeps the region open until the caller leaves. */
    final void enter() {
        if (!lifetime.enter()) {
            throw HeapException.of(Errno.ENODEV, heap, "it has left; use an announced heap");
        }
    }

    /** {@return a dma-buf of a range with memory; the caller closes it} */
    int export(long offset, long size, String name) {
        return udmabuf.create(memory.fd(), offset, size, name);
    }

    /** {@return the watch of a descriptor before its export; null if the range need not wait for its holders} */
    final HolderWatch watch(long size, int fd) {
        return holders == null ? null : holders.watch(heap, size, fd);
    }

    /**
     * Quarantines a range until the last holder is gone.
     *
     * @param holdersGone runs then and returns the range
     */
    final void quarantine(long offset, HolderWatch watch, Runnable holdersGone) {
        blocks.quarantine(offset);
        watch.whenGone(holdersGone);
    }

    /** Refuses later allocations, and leaves. Closing twice does nothing. */
    final void close() {
        if (lifetime.close()) {
            stop();
            lifetime.leave();
        }
    }

    /** Stops background work when the heap leaves. */
    void stop() {}

    /** Releases all resources. */
    void end() {
        if (holders != null) {
            holders.close();
        }
        if (udmabuf != null) {
            udmabuf.close();
        }
        memory.close();
    }
}
