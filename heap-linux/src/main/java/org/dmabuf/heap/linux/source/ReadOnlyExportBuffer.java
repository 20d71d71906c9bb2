// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/**
 * Buffer that is a memfd which its owner writes and other holders only read. The seal that keeps these from writing is
 * on the file and so binds the owner too: it keeps the one writable mapping that was made before, and hands out that.
 */
final class ReadOnlyExportBuffer implements HeapBuffer, RepeatableRelease {
    private final Syscalls syscalls;
    private final Mmap mmap;
    private final MemorySegment kept;
    private final int readOnlyFd;
    private final HeldMemory held;
    private boolean unmapped;

    /** Takes over mapping and descriptor, and counts the memory from now on. */
    ReadOnlyExportBuffer(Syscalls syscalls, Mmap mmap, Headroom headroom, MemorySegment kept, int readOnlyFd) {
        this.syscalls = syscalls;
        this.mmap = mmap;
        this.kept = kept;
        this.readOnlyFd = readOnlyFd;
        this.held = new HeldMemory(headroom, kept.byteSize()); // last: nothing fails after it
    }

    @Override
    public long size() {
        return kept.byteSize();
    }

    @Override
    public int descriptor() {
        held.showsAs(readOnlyFd);
        return readOnlyFd;
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
    public void release() {
        held.end();
        if (!unmapped) {
            mmap.unmap(kept);
            unmapped = true;
        }
        syscalls.close(readOnlyFd);
    }
}
