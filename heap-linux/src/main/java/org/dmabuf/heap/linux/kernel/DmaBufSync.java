// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * CPU accesses to one dma-buf by DMA_BUF_IOCTL_SYNC. Each of them, even a nested one, reaches the kernel, because a
 * START waits for the current fences of devices. Any thread may call any method.
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
    /** Whether the dma-buf is adopted, so that devices of another process may be using it. */
    private final boolean adopted;

    private volatile boolean ready;

    /**
     * Makes an object for a dma-buf that a heap of this process made.
     *
     * @param syscalls the kernel
     * @param heap named in exceptions, empty for a buffer of no heap
     * @param size bytes of the buffer, for error messages
     * @param ready whether the first CPU access needs no preparation; false for udmabuf
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
     * Makes an object for an adopted dma-buf.
     *
     * @param syscalls the kernel
     * @param size bytes of the buffer, for error messages
     * @param exporter exporter of the dma-buf
     * @return the object, without a CPU access
     */
    public static DmaBufSync ofAdopted(Syscalls syscalls, long size, DmaBufExporter exporter) {
        return new DmaBufSync(syscalls, "", size, !exporter.canBeUdmabuf(), true);
    }

    /**
     * Makes the first CPU access, unless it was already made. At the very first START, udmabuf builds its
     * synchronisation table for the direction of that START, without a lock. The first access must therefore be for
     * both directions, and happen before the descriptor is exported, while no other access is in progress.
     *
     * @param fd the dma-buf
     * @throws HeapException when the kernel refuses
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
     * Begins a CPU access. The wait for fences has no limit and cannot be interrupted.
     *
     * @param fd the dma-buf
     * @param access READ waits for devices that write, the other directions for all devices
     * @throws HeapException when the kernel refuses
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
     * Begins the first access to adopted memory. It uses only the direction of the access, because a wait for both
     * directions could block on a device in use. The kernel syncs in the direction of each access, regardless of the
     * direction for which the table was built.
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
     * @param access the direction in which it was begun
     * @throws HeapException when the kernel refuses
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
