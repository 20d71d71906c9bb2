// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Emulation of the kernel's contiguous heaps where there are none: a region of a size of its own, in which each buffer
 * has one piece, aligned as the kernel aligns it. It refuses what a contiguous heap would refuse: a request for which
 * no single piece is left, although bytes are free. Its memory is not contiguous, and it is announced as an emulation.
 *
 * <p>The region takes memory when a buffer needs it, after a look at what the machine has left, and gives it back with
 * the release. An exported buffer is a dma-buf of its range where this process may use {@value UdmabufSource#DEVICE},
 * elsewhere a memfd of its own for which the range stays empty. A holder that outlives the buffer keeps the memory and
 * not the place: the kernel's heaps keep both.
 *
 * <p>The region lives until it was closed and the last buffer was released.
 */
public final class EmulatedCmaSource extends AbstractRegionSource {
    private final EmulatedCmaRegion region;

    private EmulatedCmaSource(EmulatedCmaRegion region, MemfdSource own, String passedOver) {
        super(region, own, passedOver, Bytes.PAGE);
        this.region = region;
    }

    /**
     * Opens an emulated region of this machine's memory.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout size of the region, and its rules
     * @return a source, which the caller closes
     * @throws HeapException when the machine lacks what the layout needs, or is short of it
     */
    public static EmulatedCmaSource open(String heap, RegionLayout layout) {
        return open(heap, layout, Syscalls.linux(), Headroom.machine());
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
    public static EmulatedCmaSource open(String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom) {
        EmulatedCmaRegion region = EmulatedCmaRegion.open(heap, layout, syscalls, headroom);
        boolean opened = false;
        try {
            String passedOver = region.openUdmabuf();
            MemfdSource own = region.udmabuf() == null ? MemfdSource.open(heap, syscalls, headroom) : null;
            EmulatedCmaSource source = new EmulatedCmaSource(region, own, passedOver);
            opened = true;
            return source;
        } finally {
            if (!opened) {
                region.close();
            }
        }
    }

    @Override
    public Map<String, Object> properties() {
        return Map.of(
                HeapProperties.BACKEND, exportsDmaBufs() ? "udmabuf" : "memfd",
                HeapProperties.DMABUF, exportsDmaBufs(),
                HeapProperties.CONTIGUOUS, false,
                HeapProperties.CONTIGUOUS_MAX, Bytes.PAGE,
                HeapProperties.ALIGNMENT, Bytes.PAGE,
                HeapProperties.EMULATES, List.of("contiguous"),
                HeapProperties.EXPORT_READONLY, grantsReadOnlyExport());
    }

    @Override
    public HeapUsage usage() {
        RegionAllocator.Figures now = region.blocks.figures(region.layout.alignmentCap());
        return HeapUsage.unknown()
                .withCapacity(now.size())
                .withFree(now.free())
                .withLargestFree(now.largestFree())
                .withFragmentation(now.fragmentation());
    }

    /** {@return bytes of memory that the region itself has now, without buffers that have their own} */
    long occupied() {
        return region.memory.occupied();
    }
}
