// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * A range of a {@link LazyRegion} that has memory until the release. A descriptor is made when it is first asked for,
 * as a dma-buf of the range; it shows nothing of the neighbours, nor of who has the range later.
 */
final class LazySlice implements HeapBuffer {
    private static final int NONE = -1;

    private final LazyRegion region;
    private final long offset;
    private final long size;
    private final boolean exportable;
    private final String name;
    private volatile Brackets brackets;
    private volatile int dmaBuf = NONE;
    private boolean released;

    LazySlice(LazyRegion region, long offset, long size, boolean exportable, String name) {
        this.region = region;
        this.offset = offset;
        this.size = size;
        this.exportable = exportable;
        this.name = name;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int descriptor() {
        if (!exportable) {
            throw Refusal.notExportable(region.heap, size);
        }
        return dmaBuf == NONE ? export() : dmaBuf;
    }

    private synchronized int export() {
        if (dmaBuf == NONE) {
            int made = region.export(offset, size, name);
            boolean prepared = false;
            try {
                Brackets first = new Brackets(region.syscalls, region.heap, size, false);
                first.prepare(made); // a peer that has the descriptor could else make the first at the same time
                prepared = true;
                brackets = first;
                dmaBuf = made;
            } finally {
                if (!prepared) {
                    region.syscalls.close(made);
                }
            }
        }
        return dmaBuf;
    }

    @Override
    public MemorySegment map(Access access) {
        return region.slice(offset, size);
    }

    @Override
    public void unmap(MemorySegment mapping) {
        // The region's own mapping stays.
    }

    /** Nothing to agree on before a device can have the range. */
    @Override
    public void beginCpuAccess(Access access) {
        if (dmaBuf != NONE) {
            brackets.begin(dmaBuf, access);
        }
    }

    @Override
    public void endCpuAccess(Access access) {
        if (dmaBuf != NONE) {
            brackets.end(dmaBuf, access);
        }
    }

    @Override
    public synchronized void release() {
        if (released) {
            return; // a second one would free another tenant's memory
        }
        released = true;
        if (dmaBuf != NONE) {
            region.syscalls.close(dmaBuf);
        }
        region.giveBack(offset);
    }
}
