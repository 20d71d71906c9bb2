// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.DmaBufSync;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/**
 * Buffer that is a memfd for the CPU, and a dma-buf of the same pages for devices and other processes. The memfd was
 * mapped before the dma-buf was made, to clear its pages. That mapping is handed out: its page tables are filled, and
 * the kernel can read and write its memory in system calls. Neither holds for a mapping of the dma-buf.
 *
 * <p>The memfd goes with the release. Pages that a holder's dma-buf keeps are then used memory for the kernel, and no
 * shared memory any more, so they are not counted as held.
 */
final class UdmabufBuffer implements HeapBuffer, RepeatableRelease {
    private final Syscalls syscalls;
    private final Mmap mmap;
    private final DmaBufSync sync;
    private final MemorySegment kept;
    private final int dmaBuf;
    private final HeldMemory held;
    private boolean unmapped;

    /** Takes over mapping and descriptor, and counts the memory from now on. */
    UdmabufBuffer(
            Syscalls syscalls, Mmap mmap, Headroom headroom, String heap, MemorySegment kept, int dmaBuf) {
        this.syscalls = syscalls;
        this.mmap = mmap;
        this.sync = new DmaBufSync(syscalls, heap, kept.byteSize(), false);
        this.kept = kept;
        this.dmaBuf = dmaBuf;
        this.held = new HeldMemory(headroom, kept.byteSize()); // last: nothing fails after it
    }

    @Override
    public long size() {
        return kept.byteSize();
    }

    /** Makes the first CPU access before: a holder of the descriptor could else make it at the same time. */
    @Override
    public int descriptor() {
        sync.prepare(dmaBuf);
        return dmaBuf;
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
