// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * Buffer for one use of pooled memory, which has a kept mapping. If the memory returns to a pool, the buffer is never
 * exported; otherwise its release returns the memory to the machine. Each use has an object of its own, so that a
 * second release cannot affect the next use.
 */
final class PooledBuffer implements HeapBuffer {
    /**
     * Null after the release. The contract permits one release. This field detects a second one, but not two at the
     * same time.
     */
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

    /** Makes a buffer whose release returns the memory to the machine. */
    static HeapBuffer once(PooledMemory memory) {
        return new PooledBuffer(memory, null);
    }

    /**
     * Makes a buffer whose release returns the memory to a pool.
     *
     * @param memory memory of a buffer without a descriptor
     * @param pool keeps the memory or releases it
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
