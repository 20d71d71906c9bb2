// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.kernel.DmaBufSync;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/**
 * Buffer that is a dma-buf of one of the kernel's heaps. Each map makes a separate mapping, which its unmap removes.
 */
final class DmaHeapBuffer implements HeapBuffer, RepeatableRelease {
    private final Syscalls syscalls;
    private final Mmap mmap;
    private final DmaBufSync sync;
    private final String heap;
    private final int fd;
    private final long size;
    private final boolean exportable;
    private final boolean mappable;

    DmaHeapBuffer(Syscalls syscalls, Mmap mmap, String heap, int fd, long size, boolean exportable, boolean mappable) {
        this.syscalls = syscalls;
        this.mmap = mmap;
        this.sync = new DmaBufSync(syscalls, heap, size, true);
        this.heap = heap;
        this.fd = fd;
        this.size = size;
        this.exportable = exportable;
        this.mappable = mappable;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int descriptor() {
        if (!exportable) {
            throw HeapRefusal.notExportable(heap, size);
        }
        return fd;
    }

    @Override
    public MemorySegment map(Access access) {
        if (!mappable) {
            throw HeapRefusal.notMappable(heap, size);
        }
        return mmap.map(heap, fd, size, access);
    }

    @Override
    public void unmap(MemorySegment mapping) {
        mmap.unmap(mapping);
    }

    @Override
    public void beginCpuAccess(Access access) {
        sync.begin(fd, access);
    }

    @Override
    public void endCpuAccess(Access access) {
        sync.end(fd, access);
    }

    @Override
    public void release() {
        syscalls.close(fd);
    }
}
