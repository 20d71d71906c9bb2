// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.kernel.DmaBufDevices;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.RequestValidator;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;

/** Source of buffers from a region, common to both kinds of region. */
abstract class AbstractRegionSource implements MemorySource, RegionMap {
    private static final QuietLog LOG = new QuietLog(AbstractRegionSource.class);

    private final Region region;
    private final LongSupplier alignment;

    /** Makes separate memory for exportable buffers; null if the region's own memory could be exported at once. */
    private final MemfdSource own;

    private volatile String passedOver;
    private volatile Exports exports;

    /**
     * Way in which buffers are exported, and the requests that it permits.
     *
     * @param dmaBufs whether exported buffers are dma-bufs of their ranges
     */
    private record Exports(boolean dmaBufs, RequestValidator validator) {}

    /** @param alignment returns bytes, the largest that a request may have */
    AbstractRegionSource(Region region, MemfdSource own, String passedOver, LongSupplier alignment) {
        this.region = region;
        this.own = own;
        this.passedOver = passedOver;
        this.alignment = alignment;
        exports = exports(own == null);
    }

    private Exports exports(boolean dmaBufs) {
        String whyNotReadOnly = dmaBufs
                ? DmaBufDevices.WHY_NOT_READ_ONLY
                : Boolean.TRUE.equals(own.properties().get(HeapProperties.EXPORT_READONLY))
                        ? ""
                        : Memfd.WHY_NOT_READ_ONLY;
        return new Exports(dmaBufs, new RequestValidator(region.heap, whyNotReadOnly, alignment.getAsLong()));
    }

    /** {@return why exported buffers are not dma-bufs although they should be; empty if they are, or need not be} */
    public final String passedOver() {
        return passedOver;
    }

    final boolean exportsDmaBufs() {
        return exports.dmaBufs;
    }

    /** Makes later buffers dma-bufs if udmabuf can be used by now. Present buffers stay memfds. */
    private synchronized void lookForUdmabuf() {
        if (exports.dmaBufs || passedOver.isEmpty() || !region.lifetime.enter()) {
            return;
        }
        try {
            passedOver = region.openUdmabuf();
            if (passedOver.isEmpty()) {
                exports = exports(true);
                LOG.info(
                        "heap '{}': {} works now; exports of later buffers are dma-bufs",
                        region.heap,
                        DmaBufDevices.UDMABUF);
            }
        } catch (HeapException e) {
            // A resource is short; the device is tried again with the next reading of the facts.
        } finally {
            region.lifetime.leave();
        }
    }

    /**
     * Returns the properties that follow from the machine's memory, from the region's size and chunks, and from udmabuf
     * if it exports the buffers. If it does not yet, it is tried again first, because its node or the permission may
     * come while the heap serves.
     */
    final Map<String, Object> facts() {
        lookForUdmabuf();
        Map<String, Object> facts = new HashMap<>();
        facts.put(HeapProperties.SIZE_MAX, size());
        if (exportsDmaBufs()) {
            facts.put(HeapProperties.SG_ENTRY, Bytes.PAGE);
            facts.put(HeapProperties.SIZE_MAX, Math.min(size(), region.udmabuf().limit()));
        }
        if (region.layout.chunk() > Bytes.PAGE) {
            facts.put(HeapProperties.SIZE_GRANULE, region.layout.chunk());
        }
        return PhysicalMemory.with(facts);
    }

    /** {@return bytes in large folios, of the region and of the separate memory of its buffers} */
    final long inLargeFolios() {
        long separate = own == null ? 0 : own.usage().inLargeFolios().orElse(0);
        return region.memory.inLargeFolios() + separate;
    }

    final boolean grantsReadOnlyExport() {
        return exports.validator.grantsReadOnlyExport();
    }

    @Override
    public final HeapBuffer allocate(HeapRequest request) {
        Exports now = exports;
        long size = region.layout.wholeChunks(now.validator.wholePages(request));
        boolean exportable = request.export() != ExportMode.NONE;
        if (exportable && !now.dmaBufs) {
            return allocateUnbacked(request, size);
        }
        if (exportable) {
            region.udmabuf().requireWithinLimit(size);
        }
        long offset = region.take(request, size);
        RangeBuffer made = null;
        try {
            made = new RangeBuffer(region, offset, size, request);
            region.tenants.add(made);
            return made;
        } finally {
            if (made == null) {
                region.giveBack(offset);
            }
        }
    }

    private HeapBuffer allocateUnbacked(HeapRequest request, long size) {
        // First, because it returns the range's pages to the machine, which may not have memory for both.
        long offset = region.takeUnbacked(request, size);
        UnbackedRangeBuffer made = null;
        try {
            made = new UnbackedRangeBuffer(region, offset, own.allocate(request.withSize(size)), request);
            region.tenants.add(made);
            return made;
        } finally {
            if (made == null) {
                region.giveBackUnbacked(offset);
            }
        }
    }

    @Override
    public final long size() {
        return region.layout.size();
    }

    @Override
    public final void forEachStretch(Visitor visitor) {
        Map<Long, RegionBuffer> before = region.tenants.byOffset();
        List<Block> blocks = new ArrayList<>();
        region.blocks.forEachBlock((offset, size, state) -> blocks.add(new Block(offset, size, state)));
        Map<Long, RegionBuffer> after = region.tenants.byOffset();
        for (Block block : blocks) {
            RegionBuffer tenant = after.get(block.offset());
            // A buffer that was allocated or released meanwhile may not belong to the visited block.
            visitor.stretch(block.stretch(tenant == before.get(block.offset()) ? tenant : null));
        }
    }

    /** Snapshot of a block of the region. */
    private record Block(long offset, long size, RegionAllocator.State state) {
        Stretch stretch(RegionBuffer tenant) {
            State shown = switch (state) {
                case FREE -> State.FREE;
                case ALLOCATED -> State.USED;
                case QUARANTINED -> State.QUARANTINED;
                case DIRTY, ZEROING -> State.DIRTY;
            };
            boolean tenanted = tenant != null && (shown == State.USED || shown == State.QUARANTINED);
            return tenanted ? Stretch.of(offset, size, shown, tenant.request) : Stretch.of(offset, size, shown);
        }
    }

    /** Refuses later allocations. The region is released after its last buffer and after the last awaited holder. */
    @Override
    public final void close() {
        region.close();
    }
}
