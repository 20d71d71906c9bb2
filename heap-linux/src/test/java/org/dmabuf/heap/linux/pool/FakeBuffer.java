// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/** Buffer of Java's own memory that counts its releases. */
class FakeBuffer implements HeapBuffer {
    private final MemorySegment memory;
    int unmapped;
    int released;

    FakeBuffer(long size) {
        memory = Arena.ofAuto().allocate(size);
    }

    /** {@return a pool's memory with this buffer, requested with the buffer's own size} */
    PooledMemory pooled() {
        return PooledMemory.make(_ -> this, "camera", HeapRequest.of(size()).withExport(ExportMode.NONE));
    }

    @Override
    public long size() {
        return memory.byteSize();
    }

    @Override
    public int descriptor() {
        throw new UnsupportedOperationException("a fake has no descriptor");
    }

    @Override
    public MemorySegment map(Access access) {
        return memory;
    }

    @Override
    public void unmap(MemorySegment mapping) {
        unmapped++;
    }

    @Override
    public void release() {
        released++;
    }
}
