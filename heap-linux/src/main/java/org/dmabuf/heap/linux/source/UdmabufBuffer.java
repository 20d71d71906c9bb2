// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.DmaBufSync;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/**
 * Buffer that is a memfd for the CPU, and a dma-buf of the same pages for devices and other processes. The memfd was
 * mapped to clear its pages before the dma-buf was made. The buffer returns this mapping for each map, because it has
 * filled page tables and is usable in system calls. A mapping of the dma-buf has neither property.
 *
 * <p>The release closes the memfd. Pages that a holder's dma-buf keeps then count as used memory of the kernel instead
 * of shared memory. The headroom therefore does not count them as held.
 */
final class UdmabufBuffer implements HeapBuffer, RepeatableRelease {
    private final Syscalls syscalls;
    private final Mmap mmap;
    private final DmaBufSync sync;
    private final String heap;
    private final MemorySegment kept;
    private final int dmaBuf;
    private final boolean exportable;
    private final HeldMemory held;
    private boolean unmapped;

    /**
     * Makes a buffer that owns mapping and descriptor.
     *
     * @param exportable whether it gives its descriptor
     * @param count begins to count the memory
     */
    UdmabufBuffer(
            Syscalls syscalls,
            Mmap mmap,
            String heap,
            MemorySegment kept,
            int dmaBuf,
            boolean exportable,
            Supplier<HeldMemory> count) {
        this.syscalls = syscalls;
        this.mmap = mmap;
        this.sync = new DmaBufSync(syscalls, heap, kept.byteSize(), false);
        this.heap = heap;
        this.kept = kept;
        this.dmaBuf = dmaBuf;
        this.exportable = exportable;
        this.held = count.get(); // last, because nothing may fail after it
    }

    @Override
    public long size() {
        return kept.byteSize();
    }

    /** Makes the first CPU access before the export, because a holder of the descriptor could make it concurrently. */
    @Override
    public int descriptor() {
        if (!exportable) {
            throw HeapRefusal.notExportable(heap, size());
        }
        sync.prepare(dmaBuf);
        return dmaBuf;
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
    public void beginCpuAccess(Access access) {
        sync.begin(dmaBuf, access);
    }

    @Override
    public void endCpuAccess(Access access) {
        sync.end(dmaBuf, access);
    }

    @Override
    public void release() {
        held.end();
        if (!unmapped) {
            mmap.unmap(kept);
            unmapped = true;
        }
        syscalls.close(dmaBuf);
    }
}
