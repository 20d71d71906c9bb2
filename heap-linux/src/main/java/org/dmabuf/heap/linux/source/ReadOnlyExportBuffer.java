// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.LargeFolios;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/**
 * Buffer that is a memfd that only its owner can write. The seal against writing applies to the file, and thus also to
 * the owner. The buffer therefore keeps the one writable mapping, made before the seal, and returns it for each map.
 */
final class ReadOnlyExportBuffer implements HeapBuffer, RepeatableRelease {
    private final Syscalls syscalls;
    private final Mmap mmap;
    private final MemorySegment kept;
    private final int readOnlyFd;
    private final HeldMemory held;
    private boolean unmapped;

    /** Makes a buffer that owns mapping and descriptor, and begins to count the memory in the headroom. */
    ReadOnlyExportBuffer(
            Syscalls syscalls,
            Mmap mmap,
            Headroom headroom,
            LargeFolios folios,
            long inLargeFolios,
            MemorySegment kept,
            int readOnlyFd) {
        this.syscalls = syscalls;
        this.mmap = mmap;
        this.kept = kept;
        this.readOnlyFd = readOnlyFd;
        // last, because nothing may fail after it
        this.held = new HeldMemory(headroom, kept.byteSize(), folios.held(), inLargeFolios);
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
        // Does nothing: the mapping is kept until the release.
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
