// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * The brackets of one dma-buf, by DMA_BUF_IOCTL_SYNC. Each of them reaches the kernel, nested ones too: a START waits
 * for the device's fences of that moment.
 */
public final class DmaBufSync {
    public static final long DMA_BUF_SYNC_READ = 0x1;
    static final long DMA_BUF_SYNC_WRITE = 0x2;
    static final long DMA_BUF_SYNC_START = 0x0;
    static final long DMA_BUF_SYNC_END = 0x4;

    private static final String SYNC = "ioctl(DMA_BUF_IOCTL_SYNC)";

    private final Syscalls syscalls;
    private final String heap;
    private final long size;
    /** Whether another process had it before, whose devices may be at work on it. */
    private final boolean adopted;

    private volatile boolean ready;

    /**
     * Brackets without state of their own.
     *
     * @param syscalls the kernel
     * @param heap named in a refusal, empty for a buffer of no heap
     * @param size bytes of the buffer, for a refusal
     * @param ready whether the dma-buf's first bracket is like any other; it is not with udmabuf
     */
    public DmaBufSync(Syscalls syscalls, String heap, long size, boolean ready) {
        this(syscalls, heap, size, ready, false);
    }

    private DmaBufSync(Syscalls syscalls, String heap, long size, boolean ready, boolean adopted) {
        this.syscalls = syscalls;
        this.heap = heap;
        this.size = size;
        this.ready = ready;
        this.adopted = adopted;
    }

    /**
     * Brackets of a dma-buf that came from another process.
     *
     * @param syscalls the kernel
     * @param size bytes of the buffer, for a refusal
     * @param exporter what made the dma-buf
     */
    public static DmaBufSync ofAdopted(Syscalls syscalls, long size, DmaBufExporter exporter) {
        return new DmaBufSync(syscalls, "", size, !exporter.canBeUdmabuf(), true);
    }

    /**
     * Makes the first bracket, unless it was made. On the first START of all, udmabuf builds the table by which it
     * syncs, for that START's direction and without a lock. So the first bracket is made before the descriptor leaves,
     * for both directions, while no other is under way.
     *
     * @param fd the dma-buf
     */
    public void prepare(int fd) {
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

    /**
     * Begins an access. Waits for fences without limit, and cannot be interrupted.
     *
     * @param fd the dma-buf
     * @param access READ waits for devices that write, the others for all
     */
    public void begin(int fd, Access access) {
        if (adopted && !ready) {
            beginFirst(fd, access);
        } else {
            prepare(fd);
            sync(fd, DMA_BUF_SYNC_START | direction(access));
        }
    }

    /**
     * The first access to adopted memory must not wait for more than its own direction: a device may be at work. The
     * kernel syncs in the direction of each access, whichever the table was built for.
     */
    private void beginFirst(int fd, Access access) {
        synchronized (this) {
            if (!ready) {
                sync(fd, DMA_BUF_SYNC_START | direction(access));
                ready = true;
                return;
            }
        }
        sync(fd, DMA_BUF_SYNC_START | direction(access));
    }

    public void end(int fd, Access access) {
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
        return KernelError.of(heap, size, SYNC, result);
    }
}
