// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fence;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.EventFd;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.dmabuf.heap.linux.libc.Libc;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Fence of the devices that use a dma-buf at one moment: a sync_file. It does not hold the dma-buf. One thread uses it,
 * calls each method once, and closes it.
 */
public final class DeviceFence implements AutoCloseable {
    private static final long DMA_BUF_IOCTL_EXPORT_SYNC_FILE = 0xC0086202L; // read and write, 8 bytes, 'b', 2
    private static final long SYNC_IOC_FILE_INFO = 0xC0383E04L; // read and write, 56 bytes, '>', 4
    private static final int DMA_BUF_SYNC_READ = 0x1;
    private static final int DMA_BUF_SYNC_WRITE = 0x2;

    // offsets in struct dma_buf_export_sync_file (8 bytes)
    private static final long EXPORT_FLAGS = 0; // an int
    private static final long EXPORT_FD = 4; // an int

    // struct sync_file_info; without room for single fences, which num_fences = 0 states
    private static final long INFO_BYTES = 56;
    private static final long INFO_STATUS = 32; // an int: 1 signalled, 0 active, negative an error of the device

    // offsets in struct pollfd (8 bytes)
    private static final long POLLFD_EVENTS = 4; // a short
    private static final long POLLFD_REVENTS = 6; // a short

    private static final int NONE = -1;

    private final DeviceFences fences;
    private final Syscalls syscalls;
    private final String heap;
    private final String buffer;
    private final CountDownLatch woken = new CountDownLatch(1);
    private int syncFile = NONE;

    DeviceFence(DeviceFences fences, Syscalls syscalls, String heap, String buffer) {
        this.fences = fences;
        this.syscalls = syscalls;
        this.heap = heap;
        this.buffer = buffer;
    }

    /**
     * Takes the fences that a buffer has now. Memory that is not a dma-buf has none.
     *
     * @param fd a descriptor of the buffer
     * @param access READ takes the fences of devices that write, the other directions those of all devices
     * @throws HeapException {@link Errno#ENOTSUP} if the kernel does not show the fences, or its other errors
     */
    public void open(int fd, Access access) {
        long kind = syscalls.fileSystem(fd);
        if (kind < 0) {
            throw KernelError.of(heap, "fstatfs", (int) kind);
        }
        if (kind != MemoryKind.DMA_BUF_MAGIC) {
            return;
        }
        MemorySegment block = Libc.block();
        int direction = (access.reads() ? DMA_BUF_SYNC_READ : 0) | (access.writes() ? DMA_BUF_SYNC_WRITE : 0);
        block.set(JAVA_INT, Libc.STRUCT + EXPORT_FLAGS, direction);
        block.set(JAVA_INT, Libc.STRUCT + EXPORT_FD, NONE);
        int result = ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, block);
        if (result == -Errno.ENOTTY.number()) {
            throw failure(
                    Errno.ENOTSUP,
                    "this kernel does not show the fences of a dma-buf; use Linux 6.0 or later with CONFIG_SYNC_FILE,"
                            + " or begin a CPU access without a timeout");
        }
        if (result < 0) {
            throw KernelError.of(heap, "ioctl(DMA_BUF_IOCTL_EXPORT_SYNC_FILE)", result);
        }
        syncFile = block.get(JAVA_INT, Libc.STRUCT + EXPORT_FD);
    }

    /**
     * Waits until the fences are signalled. Without fences it returns at once.
     *
     * @param nanos longest wait; 0 only looks
     * @throws HeapException {@link Errno#ETIMEDOUT} after that time; {@link Errno#EINTR} after an interrupt, and the
     *     thread stays interrupted; {@link Errno#ECANCELED} when {@link DeviceFences} is closed; the device's error
     *     number for work that failed
     */
    public void await(long nanos) {
        if (syncFile == NONE) {
            return;
        }
        boolean signalled = isSignalled();
        if (!signalled && nanos > 0) {
            sleep(nanos);
            signalled = isSignalled();
        }
        if (signalled) {
            requireSuccess();
        } else if (fences.isClosed()) {
            throw failure(Errno.ECANCELED, "the broker stops; repeat the call when it has started again");
        } else {
            throw failure(
                    Errno.ETIMEDOUT,
                    "they have not finished after " + Duration.ofNanos(nanos).toMillis()
                            + " ms; allow more time, or find the device in /sys/kernel/debug/dma_buf/bufinfo");
        }
    }

    private void sleep(long nanos) {
        long token = fences.watch(this, syncFile, heap);
        try {
            woken.await(nanos, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failure(Errno.EINTR, "the thread was interrupted; repeat the call");
        } finally {
            fences.forget(token, syncFile);
        }
    }

    /** Ends the sleep. */
    void wake() {
        woken.countDown();
    }

    /** A poll, unlike SYNC_IOC_FILE_INFO, makes a fence of several devices collect their errors. */
    private boolean isSignalled() {
        MemorySegment block = Libc.block();
        int result;
        do {
            block.set(JAVA_INT, Libc.STRUCT, syncFile);
            block.set(JAVA_SHORT, Libc.STRUCT + POLLFD_EVENTS, EventFd.POLLIN);
            block.set(JAVA_SHORT, Libc.STRUCT + POLLFD_REVENTS, (short) 0);
            result = syscalls.poll(block.address() + Libc.STRUCT, 1, 0);
        } while (result == -Errno.EINTR.number());
        if (result < 0) {
            throw KernelError.of(heap, "poll", result);
        }
        return result > 0;
    }

    private void requireSuccess() {
        MemorySegment block = Libc.block();
        block.asSlice(Libc.STRUCT, INFO_BYTES).fill((byte) 0);
        int result = ioctl(syncFile, SYNC_IOC_FILE_INFO, block);
        if (result < 0) {
            throw KernelError.of(heap, "ioctl(SYNC_IOC_FILE_INFO)", result);
        }
        int status = block.get(JAVA_INT, Libc.STRUCT + INFO_STATUS);
        if (status < 0) {
            Errno errno = Errno.of(-status);
            throw HeapException.ofNumber(
                    -status,
                    Optional.of(heap),
                    "the work of a device on " + buffer + " failed: "
                            + (errno.number() == -status ? errno.meaning() : "error " + -status)
                            + "; its content may be incomplete: start the device again");
        }
    }

    private int ioctl(int fd, long request, MemorySegment block) {
        int result;
        do {
            result = syscalls.ioctl(fd, request, block.address() + Libc.STRUCT);
        } while (result == -Errno.EINTR.number());
        return result;
    }

    private HeapException failure(Errno errno, String cause) {
        return HeapException.of(errno, heap, "waiting for devices that use " + buffer + " failed: " + cause);
    }

    /** Closes the sync_file. Closing twice does nothing. */
    @Override
    public void close() {
        int fd = syncFile;
        if (fd != NONE) {
            syncFile = NONE;
            syscalls.close(fd);
        }
    }
}
