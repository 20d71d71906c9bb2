// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;

/**
 * Stands for the kernel's contiguous heaps where there are none: a region of a size of its own, in which each buffer
 * has one piece, aligned as the kernel aligns it. It refuses what a contiguous heap would refuse: a request for which
 * no single piece is left, although bytes are free. Its memory is not contiguous, and it is announced as an emulation.
 *
 * <p>The region takes memory when a buffer needs it, after a look at what the machine has left, and gives it back with
 * the release. An exported buffer is a dma-buf of its range where this process may use {@value UdmabufSource#DEVICE},
 * elsewhere a memfd of its own for which the range stays empty. A peer that outlives its buffer keeps the memory and
 * not the place: the kernel's heaps keep both.
 *
 * <p>The region lives until it was closed and the last buffer was released.
 */
public final class LazyRegionSource implements MemorySource, RegionMap {
    private final LazyRegion region;
    private final RequestCheck check;

    /** Makes the memory of buffers that may be exported; null where the region's own can be. */
    private final MemfdSource own;

    private final String passedOver;

    private LazyRegionSource(LazyRegion region, MemfdSource own, String passedOver) {
        this.region = region;
        this.own = own;
        this.passedOver = passedOver;
        this.check = new RequestCheck(region.heap, whyNoReadOnlyExport(own));
    }

    private static String whyNoReadOnlyExport(MemfdSource own) {
        if (own == null) {
            return UdmabufSource.WHY_NOT_READ_ONLY;
        }
        return Boolean.TRUE.equals(own.properties().get(HeapProperties.EXPORT_READONLY))
                ? ""
                : "this kernel is too old to keep anybody from writing";
    }

    /**
     * Makes a region without memory, and finds out how it can be exported.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout what the region is to be
     * @param syscalls the kernel
     * @param headroom what the machine has left
     * @return a source, to be closed
     * @throws HeapException with nothing held: {@link Errno#EINVAL} for a layout that cannot be, any other as the
     *     kernel has it
     */
    public static LazyRegionSource open(
            String heap, LazyRegionLayout layout, Syscalls syscalls, Headroom headroom) {
        LazyRegion region = LazyRegion.open(heap, layout, syscalls, headroom);
        boolean opened = false;
        try {
            String passedOver = layout.exports() == RegionLayout.Exports.MEMFD ? "" : openUdmabuf(region);
            MemfdSource own = region.udmabuf() == null ? MemfdSource.open(heap, syscalls, headroom) : null;
            LazyRegionSource source = new LazyRegionSource(region, own, passedOver);
            opened = true;
            return source;
        } finally {
            if (!opened) {
                region.close();
            }
        }
    }

    /** {@return why there is none, empty when there is} */
    private static String openUdmabuf(LazyRegion region) {
        try {
            region.openUdmabuf(Udmabuf.open(region.heap, region.syscalls, Path.of(UdmabufSource.SIZE_LIMIT)));
            return "";
        } catch (HeapException e) {
            if (region.layout.exports() == RegionLayout.Exports.UDMABUF || e.errno().isOfTheMoment()) {
                throw e;
            }
            return e.getMessage();
        }
    }

    /** {@return why exported buffers are no dma-bufs though they might be, empty when they are or must not be} */
    public String passedOver() {
        return passedOver;
    }

    @Override
    public Map<String, Object> properties() {
        return Map.of(
                HeapProperties.BACKEND, own == null ? "udmabuf" : "memfd",
                HeapProperties.DMABUF, own == null,
                HeapProperties.CONTIGUOUS, false,
                HeapProperties.CONTIGUOUS_MAX, Bytes.PAGE,
                HeapProperties.ALIGNMENT, Bytes.PAGE,
                HeapProperties.EMULATES, List.of("contiguous"),
                HeapProperties.EXPORT_READONLY, check.grantsReadOnlyExport());
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        long size = check.wholePages(request);
        if (request.exportable() && own != null) {
            return placed(request, size);
        }
        if (request.exportable()) {
            region.udmabuf().requireWithinLimit(size);
        }
        long offset = region.takeFilled(size, request.alignment());
        HeapBuffer made = null;
        try {
            String name = request.name().isEmpty() ? region.heap : request.name();
            made = new LazySlice(region, offset, size, request.exportable(), name);
            return made;
        } finally {
            if (made == null) {
                region.giveBack(offset);
            }
        }
    }

    private HeapBuffer placed(HeapRequest request, long size) {
        long offset = region.take(size, request.alignment());
        HeapBuffer made = null;
        try {
            made = own.allocate(request, size);
            return new PlacedBuffer(region, offset, made);
        } finally {
            if (made == null) {
                region.leaveEmpty(offset);
            }
        }
    }

    @Override
    public HeapUsage usage() {
        RegionAllocator.Figures now = region.blocks().figures(region.layout.alignmentCap());
        return HeapUsage.unknown()
                .withCapacity(now.size())
                .withFree(now.free())
                .withLargestFree(now.largestFree())
                .withFragmentation(now.fragmentation());
    }

    /** {@return bytes of memory that the region itself has now, without buffers that have their own} */
    long occupied() {
        return region.occupied();
    }

    @Override
    public long size() {
        return region.layout.size();
    }

    @Override
    public void forEachStretch(Visitor visitor) {
        region.blocks().forEachBlock((offset, size, state) -> visitor.stretch(offset, size, switch (state) {
            case FREE -> State.FREE;
            case ALLOCATED -> State.USED;
            case QUARANTINED -> State.QUARANTINED;
            case DIRTY, ZEROING -> State.DIRTY;
        }));
    }

    /** Refuses later allocations. The region goes with the last buffer. */
    @Override
    public void close() {
        region.close();
    }
}
