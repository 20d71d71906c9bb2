// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.KeptMapping;
import org.dmabuf.heap.linux.kernel.LargeFolios;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/** Buffer that is a sealed memfd. Each map makes a separate mapping, which its unmap removes. */
final class MemfdBuffer implements HeapBuffer, KeptMapping, RepeatableRelease {
    private final Syscalls syscalls;
    private final Mmap mmap;
    private final String heap;
    private final int fd;
    private final long size;
    private final boolean exportable;
    private final HeldMemory held;

    /** Makes a buffer that owns the memfd, and begins to count the memory in the headroom. */
    MemfdBuffer(
            Syscalls syscalls,
            Mmap mmap,
            Headroom headroom,
            LargeFolios folios,
            String heap,
            NewMemfd memfd,
            long size,
            boolean exportable) {
        this.syscalls = syscalls;
        this.mmap = mmap;
        this.heap = heap;
        this.fd = memfd.fd();
        this.size = size;
        this.exportable = exportable;
        // last, because nothing may fail after it
        this.held = new HeldMemory(headroom, size, folios.held(), memfd.inLargeFolios());
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
        held.showsAs(fd);
        return fd;
    }

    @Override
    public MemorySegment map(Access access) {
        return mmap.map(heap, fd, size, access);
    }

    @Override
    public MemorySegment mapToKeep() {
        return mmap.mapToKeep(heap, fd, size);
    }

    @Override
    public void unmap(MemorySegment mapping) {
        mmap.unmap(mapping);
    }

    @Override
    public void release() {
        held.end();
        syscalls.close(fd);
    }
}
