// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * A memfd for the CPU and a dma-buf of the same pages for everybody else. The memfd never leaves: it is mapped here,
 * because its page tables can be filled at once and the kernel can read and write its memory in system calls, neither
 * of which holds for a mapping of the dma-buf.
 */
final class UdmabufBuffer implements HeapBuffer {
    private final Syscalls syscalls;
    private final Mmap mmap;
    private final Brackets brackets;
    private final String heap;
    private final int memfd;
    private final int dmaBuf;
    private final long size;

    UdmabufBuffer(Syscalls syscalls, Mmap mmap, String heap, int memfd, int dmaBuf, long size) {
        this.syscalls = syscalls;
        this.mmap = mmap;
        this.brackets = new Brackets(syscalls, heap, size, false);
        this.heap = heap;
        this.memfd = memfd;
        this.dmaBuf = dmaBuf;
        this.size = size;
    }

    @Override
    public long size() {
        return size;
    }

    /** After the first bracket: a peer that has the descriptor could else make it at the same time as we. */
    @Override
    public int descriptor() {
        brackets.prepare(dmaBuf);
        return dmaBuf;
    }

    @Override
    public MemorySegment map(Access access) {
        return mmap.map(heap, memfd, size, access);
    }

    @Override
    public void unmap(MemorySegment mapping) {
        mmap.unmap(mapping);
    }

    @Override
    public void beginCpuAccess(Access access) {
        brackets.begin(dmaBuf, access);
    }

    @Override
    public void endCpuAccess(Access access) {
        brackets.end(dmaBuf, access);
    }

    @Override
    public void release() {
        syscalls.close(dmaBuf);
        syscalls.close(memfd);
    }
}
