// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/** Correct buffer, whose subclasses break one requirement. */
class ForwardingBuffer implements HeapBuffer {
    final HeapBuffer good;

    ForwardingBuffer(HeapBuffer good) {
        this.good = good;
    }

    @Override
    public long size() {
        return good.size();
    }

    @Override
    public int descriptor() {
        return good.descriptor();
    }

    @Override
    public MemorySegment map(Access access) {
        return good.map(access);
    }

    @Override
    public void unmap(MemorySegment mapping) {
        good.unmap(mapping);
    }

    @Override
    public void beginCpuAccess(Access access) {
        good.beginCpuAccess(access);
    }

    @Override
    public void endCpuAccess(Access access) {
        good.endCpuAccess(access);
    }

    @Override
    public void release() {
        good.release();
    }
}
