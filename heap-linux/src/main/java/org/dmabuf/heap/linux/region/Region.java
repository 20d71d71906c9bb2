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
 * Region at work: its memory, and the books of which buffer has which range. It lives until it was closed and the last
 * range came back.
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

    /** Tracks descriptors of buffers; null where a range need not wait for the holders of its former buffer. */
    private final HolderTracker holders;

    /** Makes dma-bufs of ranges; null where exported buffers are memfds of their own. Set once, before any buffer. */
    private Udmabuf udmabuf;

    /** Takes over the memory and the holders. */
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
     * Lets ranges be exported as dma-bufs where the layout wants that and it works. To be called before the first
     * allocation, or not at all.
     *
     * @return why there are no dma-bufs though they were wanted; empty when there are, or they were not
     * @throws HeapException where the layout permits nothing else, or for a shortage that may be over soon
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
     * Tries on one page what an exported range will need.
     *
     * @throws HeapException where something does not work
     */
    abstract void tryOut(Udmabuf device);

    /** {@return what makes dma-bufs of ranges, null where exported buffers are memfds of their own} */
    final Udmabuf udmabuf() {
        return udmabuf;
    }

    /**
     * Takes a range with memory, zeroed. The region stays for it until {@link #giveBack}.
     *
     * @param request its alignment counts
     * @param size bytes, whole pages
     * @return its offset
     * @throws HeapException {@link Errno#ENOMEM} when there is no place or no memory, {@link Errno#ENODEV} when the
     *     heap has gone; nothing is held
     */
    abstract long take(HeapRequest request, long size);

    /**
     * Takes a range for a buffer that has memory of its own. The range must not be touched, and has no memory where it
     * can be without. The region stays for it until {@link #giveBackUnbacked}.
     *
     * @param request its alignment counts where alignments are part of the rules that the region emulates
     * @param size bytes, whole pages
     * @return its offset
     * @throws HeapException as {@link #take}
     */
    abstract long takeUnbacked(HeapRequest request, long size);

    /** Ends a tenancy of memory that the next tenant must not see. */
    abstract void giveBack(long offset);

    /** Ends a tenancy that had memory of its own: the range is as it was. */
    abstract void giveBackUnbacked(long offset);

    /** The region stays for the caller until it leaves. */
    final void enter() {
        if (!lifetime.enter()) {
            throw HeapException.of(
                    Errno.ENODEV, heap, "it has gone; use a heap that is announced");
        }
    }

    /** {@return a dma-buf of a range that has memory, which the caller closes} */
    int export(long offset, long size, String name) {
        return udmabuf.create(memory.fd(), offset, size, name);
    }

    /** {@return the watch of a descriptor that is about to leave; null when the range need not wait for its holders} */
    final HolderWatch watch(long size, int fd) {
        return holders == null ? null : holders.watch(heap, size, fd);
    }

    /**
     * Keeps a range from use until the last holder has gone.
     *
     * @param holdersGone then ends the tenancy
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

    /** Ends what is at work when the heap goes. */
    void stop() {}

    /** Gives everything back. */
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
