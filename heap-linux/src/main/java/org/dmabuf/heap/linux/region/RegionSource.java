// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Source that hands out ranges of a region whose memory it takes when it opens: an allocation is no system call, and
 * finds what was set aside for it however full the machine is. What is released is zeroed in the background before it
 * is handed out again, and what a holder may still see waits until the last holder has gone.
 *
 * <p>An exported buffer is a dma-buf of its range where this process may use {@value UdmabufSource#DEVICE}. Elsewhere
 * each buffer that may be exported has a memfd of its own, and its range stays empty: on ordinary pages the range's
 * memory is given back to the machine meanwhile, and can be lost to others; on huge pages it is held twice. Such
 * buffers are on ordinary pages wherever the region is, so it is then announced as no better.
 *
 * <p>On pages of 4 KiB the region is locked in memory where the process may lock as much; see {@link #swappable}. On a
 * kernel whose holders can keep pages of a dma-buf unseen, before 6.11, an exported range gets other pages before it is
 * handed out again, and no dma-buf is made of huge pages.
 *
 * <p>The region lives until it was closed and the last buffer was released, its last holder gone.
 */
public final class RegionSource extends AbstractRegionSource {
    private final ReservedRegion region;

    private RegionSource(ReservedRegion region, MemfdSource own, String passedOver) {
        super(region, own, passedOver, alignment(region));
        this.region = region;
    }

    /** A physical one: within a page, offsets are aligned as addresses are. */
    private static long alignment(ReservedRegion region) {
        return Math.min(region.run(), Long.highestOneBit(region.layout.size()));
    }

    /**
     * Takes a region of this machine's memory.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout size and pages of the region
     * @return a source, which the caller closes
     * @throws HeapException when the machine lacks what the layout needs, or is short of it
     */
    public static RegionSource open(String heap, RegionLayout layout) {
        return open(heap, layout, Syscalls.linux(), Headroom.machine());
    }

    /**
     * Takes the memory, all of it, and finds out how it can be exported.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout what the region is to be
     * @param syscalls the kernel
     * @param headroom what the machine has left
     * @return a source, to be closed
     * @throws HeapException with nothing held: {@link Errno#ENOMEM} with what is missing, {@link Errno#EINVAL} for a
     *     layout that cannot be, any other as the kernel has it
     */
    public static RegionSource open(String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom) {
        return open(heap, layout, syscalls, headroom, HugePages.ofTheMachine());
    }

    static RegionSource open(
            String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom, HugePages hugePages) {
        return open(heap, layout, syscalls, headroom, hugePages, HolderTracker::new);
    }

    static RegionSource open(
            String heap,
            RegionLayout layout,
            Syscalls syscalls,
            Headroom headroom,
            HugePages hugePages,
            Supplier<HolderTracker> tracker) {
        ReservedRegion region = ReservedRegion.open(heap, layout, syscalls, headroom, hugePages, tracker);
        boolean opened = false;
        try {
            String passedOver = region.openUdmabuf();
            MemfdSource own = null;
            if (region.udmabuf() == null) {
                own = MemfdSource.open(heap, syscalls, headroom);
                region.tryToTrackMemfds();
            }
            RegionSource source = new RegionSource(region, own, passedOver);
            region.start();
            opened = true;
            return source;
        } finally {
            if (!opened) {
                region.close();
            }
        }
    }

    /** {@return why the region's memory can be swapped out, with the remedy; empty when it cannot} */
    public String swappable() {
        return region.memory.swappable();
    }

    @Override
    public Map<String, Object> properties() {
        Map<String, Object> properties = new HashMap<>();
        properties.put(HeapProperties.BACKEND, exportsDmaBufs() ? "udmabuf" : "memfd");
        properties.put(HeapProperties.DMABUF, exportsDmaBufs());
        properties.put(HeapProperties.CONTIGUOUS_MAX, region.run());
        properties.put(HeapProperties.ALIGNMENT, alignment(region));
        properties.put(HeapProperties.EXPORT_READONLY, grantsReadOnlyExport());
        if (region.run() >= region.layout.size()) {
            properties.put(HeapProperties.CONTIGUOUS, true);
        } else if (region.layout.emulatesContiguous()) {
            properties.put(HeapProperties.EMULATES, List.of("contiguous"));
        }
        return Map.copyOf(properties);
    }

    /**
     * {@inheritDoc}
     *
     * <p>The largest free run is the region's, which a buffer can have that is not to be exported. The machine's limit
     * on one dma-buf, {@code udmabuf.size_limit_mb}, is no part of it.
     */
    @Override
    public HeapUsage usage() {
        RegionAllocator.Figures now = region.blocks.figures(region.run());
        return HeapUsage.unknown()
                .withCapacity(now.size())
                .withFree(now.free())
                .withLargestFree(now.largestFree())
                .withQuarantined(now.quarantined())
                .withFragmentation(now.fragmentation());
    }
}
