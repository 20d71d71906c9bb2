// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Buffer with separate memory, used if no dma-buf can be made of a range. A range of the same size stays reserved but
 * unbacked, so that the region is as full as if it contained the buffer.
 */
final class UnbackedRangeBuffer extends RegionBuffer {
    private final HeapBuffer own; // a memfd, which needs no CPU accesses

    UnbackedRangeBuffer(Region region, long offset, HeapBuffer own, HeapRequest request) {
        super(region, offset, own.size(), request);
        this.own = own;
    }

    @Override
    public synchronized int descriptor() {
        requireHeld();
        int fd = own.descriptor();
        track(fd);
        return fd;
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
    void drop() {
        own.release();
    }

    @Override
    void end() {
        region.giveBackUnbacked(offset);
    }
}
