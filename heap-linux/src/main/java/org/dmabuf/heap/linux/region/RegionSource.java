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
 * Source of buffers in a reserved region. It takes the region's memory when it opens, so that an allocation needs no
 * system call and does not depend on the machine's free memory. Released ranges are zeroed in the background before
 * they are reused. A range that a holder may still access is quarantined until the last holder is gone.
 *
 * <p>If this process may use {@value UdmabufSource#DEVICE}, an exported buffer is a dma-buf of its range. Otherwise
 * each exportable buffer is a separate memfd, and its range stays empty. On ordinary pages the range's memory returns
 * to the machine meanwhile, where other processes can take it; on huge pages the memory is held twice. Such buffers are
 * always on ordinary pages, and the source announces its properties accordingly. If this process may use the device
 * later, later buffers are dma-bufs.
 *
 * <p>On ordinary pages the region is locked in memory if the process may lock as much; see {@link #swappable}. Before
 * Linux 6.11 a holder can keep pages of a dma-buf without being detected. On such a kernel an exported range gets new
 * pages before it is reused, and no dma-buf is made of huge pages.
 *
 * <p>The region exists until it is closed, its last buffer is released, and the last holder is gone.
 */
public final class RegionSource extends AbstractRegionSource {
    private final ReservedRegion region;

    private RegionSource(ReservedRegion region, MemfdSource own, String passedOver) {
        super(region, own, passedOver, () -> alignment(region));
        this.region = region;
    }

    /** Returns the physical alignment: within a page, offsets are aligned like addresses. */
    private static long alignment(ReservedRegion region) {
        return Math.min(region.run(), Long.highestOneBit(region.layout.size()));
    }

    /**
     * Reserves a region of this machine's memory.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout size and pages of the region
     * @return a source, which the caller closes
     * @throws HeapException when the machine lacks a prerequisite of the layout, or a resource is short
     */
    public static RegionSource open(String heap, RegionLayout layout) {
        return open(heap, layout, Syscalls.linux(), Headroom.machine());
    }

    /**
     * Reserves all of the memory and determines how it can be exported.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout the region's layout
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory
     * @return a source, which the caller closes
     * @throws HeapException with nothing held; {@link Errno#ENOMEM} with the amount of missing memory,
     *     {@link Errno#EINVAL} for an invalid layout, or any other error of the kernel
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

    /** {@return why the region's memory can be swapped out, with the remedy; empty if it cannot} */
    public String swappable() {
        return region.memory.swappable();
    }

    @Override
    public Map<String, Object> properties() {
        Map<String, Object> properties = new HashMap<>(facts());
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
     * <p>The largest free run is that of the region, which a buffer without export can use. It ignores the machine's
     * limit on one dma-buf, {@code udmabuf.size_limit_mb}.
     */
    @Override
    public HeapUsage usage() {
        RegionAllocator.Figures now = region.blocks.figures(region.run());
        return HeapUsage.unknown()
                .withCapacity(now.size())
                .withFree(now.free())
                .withLargestFree(now.largestFree())
                .withQuarantined(now.quarantined())
                .withFragmentation(now.fragmentation())
                .withInLargeFolios(inLargeFolios());
    }
}
