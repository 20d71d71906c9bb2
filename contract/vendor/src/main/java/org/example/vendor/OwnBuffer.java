// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.source.HeapRefusal;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/** Buffer that checks the pairs of calls that the SPI promises, and fails on a violation. */
final class OwnBuffer implements HeapBuffer, RepeatableRelease {
    private final HeapBuffer memory;
    private final boolean exportable;
    private final Runnable released;
    private final AtomicInteger mappings = new AtomicInteger();
    private final AtomicInteger accesses = new AtomicInteger();

    OwnBuffer(HeapBuffer memory, boolean exportable, Runnable released) {
        this.memory = memory;
        this.exportable = exportable;
        this.released = released;
    }

    @Override
    public long size() {
        return memory.size();
    }

    @Override
    public int descriptor() {
        if (!exportable) {
            throw HeapRefusal.notExportable(OwnHeap.NAME, size());
        }
        return memory.descriptor();
    }

    @Override
    public MemorySegment map(Access access) {
        if (access == null) {
            throw HeapRefusal.notMappable(OwnHeap.NAME, size());
        }
        MemorySegment mapping = memory.map(access);
        mappings.incrementAndGet();
        return mapping;
    }

    @Override
    public void unmap(MemorySegment mapping) {
        memory.unmap(mapping);
        mappings.decrementAndGet();
    }

    @Override
    public void beginCpuAccess(Access access) {
        memory.beginCpuAccess(access);
        accesses.incrementAndGet();
    }

    @Override
    public void endCpuAccess(Access access) {
        if (accesses.getAndDecrement() < 1) {
            throw HeapException.of(Errno.EINVAL, OwnHeap.NAME, "no CPU access was begun");
        }
        memory.endCpuAccess(access);
    }

    /** After a release that comes too early the memory stays counted, so that a check of the client finds it. */
    @Override
    public void release() {
        boolean asPromised = mappings.get() == 0 && accesses.get() == 0;
        memory.release();
        if (asPromised) {
            released.run();
        }
    }
}
