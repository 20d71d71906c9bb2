// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * Buffer that is one tenancy of memory with a kept mapping. With a pool to go back to it never leaves the process;
 * without, its memory goes back to the machine. Each tenant has an object of its own: a second release cannot reach the
 * next tenant.
 */
final class PooledBuffer implements HeapBuffer {
    /** Null once released. The contract permits one release: this stops a second by mistake, and not a race of two. */
    private PooledMemory memory;

    private final HeapBuffer buffer;
    private final MemorySegment kept;
    private final RecyclePool pool;

    private PooledBuffer(PooledMemory memory, RecyclePool pool) {
        this.memory = memory;
        this.buffer = memory.buffer;
        this.kept = memory.mapping;
        this.pool = pool;
    }

    /** For one use, after which the memory goes back to the machine. */
    static HeapBuffer once(PooledMemory memory) {
        return new PooledBuffer(memory, null);
    }

    /**
     * For memory that goes back to a pool.
     *
     * @param memory of a buffer that gives no descriptor
     * @param pool takes it or releases it
     */
    static HeapBuffer recycled(PooledMemory memory, RecyclePool pool) {
        return new PooledBuffer(memory, pool);
    }

    @Override
    public long size() {
        return kept.byteSize();
    }

    @Override
    public int descriptor() {
        return buffer.descriptor();
    }

    @Override
    public MemorySegment map(Access access) {
        return kept;
    }

    @Override
    public void unmap(MemorySegment mapping) {
        // Kept until release.
    }

    @Override
    public void beginCpuAccess(Access access) {
        buffer.beginCpuAccess(access);
    }

    @Override
    public void endCpuAccess(Access access) {
        buffer.endCpuAccess(access);
    }

    @Override
    public void release() {
        PooledMemory mine = memory;
        memory = null;
        if (mine == null) {
            return;
        }
        if (pool == null) {
            mine.release();
        } else {
            pool.put(mine);
        }
    }
}
