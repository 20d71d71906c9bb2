// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * The brackets of one dma-buf, by DMA_BUF_IOCTL_SYNC. Each of them reaches the kernel, nested ones too: a START waits
 * for the device's fences of that moment.
 */
final class Brackets {
    static final long DMA_BUF_SYNC_READ = 0x1;
    static final long DMA_BUF_SYNC_WRITE = 0x2;
    static final long DMA_BUF_SYNC_START = 0x0;
    static final long DMA_BUF_SYNC_END = 0x4;

    private static final String SYNC = "ioctl(DMA_BUF_IOCTL_SYNC)";

    private final Syscalls syscalls;
    private final String heap;
    private final long size;
    private volatile boolean ready;

    /**
     * Brackets without state of their own.
     *
     * @param syscalls the kernel
     * @param heap named in a refusal, empty for a buffer of no heap
     * @param size bytes of the buffer, for a refusal
     * @param ready whether the dma-buf's first bracket is like any other; it is not with udmabuf
     */
    Brackets(Syscalls syscalls, String heap, long size, boolean ready) {
        this.syscalls = syscalls;
        this.heap = heap;
        this.size = size;
        this.ready = ready;
    }

    /**
     * Makes the first bracket, unless it was made. On the first START of all, udmabuf builds the table by which it
     * syncs, for that START's direction and without a lock: so it is one for both directions, while no other is under
     * way.
     *
     * @param fd the dma-buf
     */
    void prepare(int fd) {
        if (!ready) {
            synchronized (this) {
                if (!ready) {
                    sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE);
                    sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE);
                    ready = true;
                }
            }
        }
    }

    void begin(int fd, Access access) {
        prepare(fd);
        sync(fd, DMA_BUF_SYNC_START | direction(access));
    }

    void end(int fd, Access access) {
        sync(fd, DMA_BUF_SYNC_END | direction(access));
    }

    private static long direction(Access access) {
        return (access.reads() ? DMA_BUF_SYNC_READ : 0) | (access.writes() ? DMA_BUF_SYNC_WRITE : 0);
    }

    private void sync(int fd, long flags) {
        int result;
        do {
            result = syscalls.dmaBufSync(fd, flags);
        } while (result == -Errno.EINTR.number() || result == -Errno.EAGAIN.number());
        if (result < 0) {
            throw refusal(result);
        }
    }

    private HeapException refusal(int result) {
        return Refusal.of(heap, size, SYNC, result);
    }
}
