// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * A buffer with memory of its own, for which a range of a {@link LazyRegion} stays empty, so that the region is as full
 * as if the buffer were in it. Peers that outlive it keep its memory and not the range.
 */
final class PlacedBuffer implements HeapBuffer {
    private final LazyRegion region;
    private final long offset;
    private final HeapBuffer own;
    private boolean released;

    PlacedBuffer(LazyRegion region, long offset, HeapBuffer own) {
        this.region = region;
        this.offset = offset;
        this.own = own;
    }

    @Override
    public long size() {
        return own.size();
    }

    @Override
    public int descriptor() {
        return own.descriptor();
    }

    @Override
    public MemorySegment map(Access access) {
        return own.map(access);
    }

    @Override
    public void unmap(MemorySegment mapping) {
        own.unmap(mapping);
    }

    @Override
    public void beginCpuAccess(Access access) {
        own.beginCpuAccess(access);
    }

    @Override
    public void endCpuAccess(Access access) {
        own.endCpuAccess(access);
    }

    @Override
    public synchronized void release() {
        if (released) {
            return; // a second one would free another tenant's range
        }
        released = true;
        own.release();
        region.leaveEmpty(offset);
    }
}
