// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * CPU accesses to one dma-buf, by DMA_BUF_IOCTL_SYNC. Each of them reaches the kernel, nested ones too: a START waits
 * for the device's fences of that moment. Any thread may call any method.
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
    /** Whether the dma-buf came from another process, whose devices may be at work on it. */
    private final boolean adopted;

    private volatile boolean ready;

    /**
     * CPU accesses to a dma-buf that a heap of this process made.
     *
     * @param syscalls the kernel
     * @param heap named in a refusal, empty for a buffer of no heap
     * @param size bytes of the buffer, for a refusal
     * @param ready whether the dma-buf's first CPU access is like any other; it is not with udmabuf
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
     * CPU accesses to a dma-buf that came from another process.
     *
     * @param syscalls the kernel
     * @param size bytes of the buffer, for a refusal
     * @param exporter what made the dma-buf
     * @return without a CPU access yet
     */
    public static DmaBufSync ofAdopted(Syscalls syscalls, long size, DmaBufExporter exporter) {
        return new DmaBufSync(syscalls, "", size, !exporter.canBeUdmabuf(), true);
    }

    /**
     * Makes the first CPU access, unless it was made. On the first START of all, udmabuf builds the table by which it
     * syncs, for that START's direction and without a lock. So the first access is made before the descriptor leaves,
     * for both directions, while no other is under way.
     *
     * @param fd the dma-buf
     * @throws HeapException the kernel's refusal
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
     * Begins a CPU access. Waits for fences without limit, and cannot be interrupted.
     *
     * @param fd the dma-buf
     * @param access READ waits for devices that write, the others for all
     * @throws HeapException the kernel's refusal
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

    /**
     * Ends a CPU access.
     *
     * @param fd the dma-buf
     * @param access as it began
     * @throws HeapException the kernel's refusal
     */
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
