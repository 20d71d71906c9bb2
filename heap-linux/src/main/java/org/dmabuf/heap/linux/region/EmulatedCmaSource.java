// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.HashMap;
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
 * Source that emulates a contiguous heap of the kernel. Its region has a fixed size, and each buffer takes one piece of
 * it, aligned as the kernel does. Like a contiguous heap it refuses a request for which no single piece is left,
 * although enough bytes are free. Its memory is not contiguous, and it is announced as an emulation.
 *
 * <p>The region allocates pages for each buffer, within the machine's remaining memory, and releases them with the
 * buffer. If this process may use {@value UdmabufSource#DEVICE}, an exported buffer is a dma-buf of its range.
 * Otherwise it is a separate memfd, and its range stays empty, until this process may use the device. A holder that
 * outlives the buffer keeps the memory, but not the range. In the kernel's heaps it keeps both.
 *
 * <p>The region exists until it is closed and its last buffer is released.
 */
public final class EmulatedCmaSource extends AbstractRegionSource {
    private final EmulatedCmaRegion region;

    private EmulatedCmaSource(EmulatedCmaRegion region, MemfdSource own, String passedOver) {
        super(region, own, passedOver, () -> Bytes.PAGE);
        this.region = region;
    }

    /**
     * Opens an emulated region of this machine's memory.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout the region's size and rules
     * @return a source, which the caller closes
     * @throws HeapException when the machine lacks a prerequisite of the layout, or a resource is short
     */
    public static EmulatedCmaSource open(String heap, RegionLayout layout) {
        return open(heap, layout, Syscalls.linux(), Headroom.machine());
    }

    /**
     * Makes a region without memory and determines how its buffers can be exported.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout the region's layout
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory
     * @return a source, which the caller closes
     * @throws HeapException with nothing held; {@link Errno#EINVAL} for an invalid layout, or any other error of the
     *     kernel
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
        Map<String, Object> properties = new HashMap<>(facts());
        properties.putAll(Map.of(
                HeapProperties.BACKEND,
                exportsDmaBufs() ? "udmabuf" : "memfd",
                HeapProperties.DMABUF,
                exportsDmaBufs(),
                HeapProperties.CONTIGUOUS,
                false,
                HeapProperties.CONTIGUOUS_MAX,
                Bytes.PAGE,
                HeapProperties.ALIGNMENT,
                Bytes.PAGE,
                HeapProperties.EMULATES,
                List.of("contiguous"),
                HeapProperties.EXPORT_READONLY,
                grantsReadOnlyExport()));
        return Map.copyOf(properties);
    }

    @Override
    public HeapUsage usage() {
        RegionAllocator.Figures now = region.blocks.figures(region.layout.alignmentCap());
        return HeapUsage.unknown()
                .withCapacity(now.size())
                .withFree(now.free())
                .withLargestFree(now.largestFree())
                .withFragmentation(now.fragmentation())
                .withInLargeFolios(inLargeFolios());
    }

    /** {@return bytes of memory of the region itself, without the separate memory of buffers} */
    long occupied() {
        return region.memory.occupied();
    }
}
