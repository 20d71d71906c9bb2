// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.secret;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.machine.MlockLimit;
import org.dmabuf.heap.linux.source.HeapRefusal;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/**
 * Buffer of secret memory. Its pages exist before the buffer does. A setting of the heap decides whether this process
 * may map them.
 */
final class SecretBuffer implements HeapBuffer, RepeatableRelease {
    private final Syscalls syscalls;
    private final Mmap mmap;
    private final MlockLimit locked;
    private final String heap;
    private final int fd;
    private final long size;
    private final boolean exportable;
    private final boolean mappable;
    private boolean closed;

    SecretBuffer(
            Syscalls syscalls,
            Mmap mmap,
            MlockLimit locked,
            String heap,
            int fd,
            long size,
            boolean exportable,
            boolean mappable) {
        this.syscalls = syscalls;
        this.mmap = mmap;
        this.locked = locked;
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
            throw HeapException.of(
                    Errno.EINVAL,
                    heap,
                    "a buffer of " + Bytes.text(size)
                            + " cannot be mapped by the process that made it (heap.mappable=false); send its"
                            + " descriptor to the process that may read it, or configure heap.mappable=true");
        }
        try {
            return mmap.map(heap, fd, size, access);
        } catch (HeapException e) {
            throw e.errno() == Errno.EAGAIN ? HeapException.of(Errno.ENOMEM, heap, e.reason(), e) : e;
        }
    }

    @Override
    public void unmap(MemorySegment mapping) {
        mmap.unmap(mapping);
    }

    @Override
    public void release() {
        if (!closed) {
            syscalls.close(fd);
            closed = true;
        }
        locked.giveBack(size);
    }
}
