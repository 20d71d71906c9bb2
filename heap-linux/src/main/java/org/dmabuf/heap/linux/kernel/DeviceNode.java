// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Device node that is opened once for all calls. If it is closed while other threads are in calls, the last of them
 * closes the descriptor. Otherwise a call could reach another file with the same number.
 */
public final class DeviceNode implements AutoCloseable {
    private static final int S_IFMT = 0xf000;
    private static final int S_IFCHR = 0x2000;

    /**
     * Without O_NONBLOCK the open of a FIFO waits for a writer; without O_NOCTTY a terminal could become the
     * controlling one.
     */
    private static final int NO_WAIT_NO_TERMINAL = Fcntl.O_NONBLOCK | Fcntl.O_NOCTTY;

    private final Syscalls syscalls;
    private final String heap;
    private final String path;
    private final int fd;

    /** Number of calls in progress, plus one while the device is open. */
    private final AtomicInteger users = new AtomicInteger(1);

    private final AtomicBoolean closed = new AtomicBoolean();

    private DeviceNode(Syscalls syscalls, String heap, String path, int fd) {
        this.syscalls = syscalls;
        this.heap = heap;
        this.path = path;
        this.fd = fd;
    }

    /**
     * Opens a node for reading, which is sufficient for allocations.
     *
     * @param syscalls the kernel
     * @param heap named in exceptions
     * @param path of the node
     * @return the node, to be closed
     * @throws HeapException when the kernel refuses, with the remedy; {@link Errno#ENOTTY} for a file that is not a
     *     character device
     */
    public static DeviceNode open(Syscalls syscalls, String heap, String path) {
        return open(syscalls, heap, path, Fcntl.O_RDONLY, "open(" + path + ")");
    }

    /**
     * Opens the node of a device that belongs to no heap, for reading and writing.
     *
     * @param syscalls the kernel
     * @param path of the node
     * @return the node, to be closed
     * @throws HeapException when the kernel refuses; {@link Errno#ENOTTY} for a file that is not a character device
     */
    public static DeviceNode openForUse(Syscalls syscalls, String path) {
        return open(syscalls, "", path, Fcntl.O_RDWR, "open of " + path); // not open(): its remedies are for heaps
    }

    private static DeviceNode open(Syscalls syscalls, String heap, String path, int access, String call) {
        int fd = syscalls.open(path, access | Fcntl.O_CLOEXEC | NO_WAIT_NO_TERMINAL);
        if (fd < 0) {
            throw KernelError.of(heap, call, fd);
        }
        boolean opened = false;
        try {
            requireCharacterDevice(syscalls, heap, path, fd, call);
            DeviceNode device = new DeviceNode(syscalls, heap, path, fd);
            opened = true;
            return device;
        } finally {
            if (!opened) {
                syscalls.close(fd);
            }
        }
    }

    private static void requireCharacterDevice(Syscalls syscalls, String heap, String path, int fd, String call) {
        int mode = syscalls.mode(fd);
        if (mode < 0) {
            throw KernelError.of(heap, "statx(" + path + ")", mode);
        }
        if ((mode & S_IFMT) != S_IFCHR) {
            throw refusal(
                    heap,
                    Errno.ENOTTY,
                    call + " failed: not a character device; remove the file, and give a container the node of the"
                            + " host");
        }
    }

    private static HeapException refusal(String heap, Errno errno, String reason) {
        return heap.isEmpty() ? HeapException.of(errno, reason) : HeapException.of(errno, heap, reason);
    }

    /** {@return the path by which it was opened} */
    public String path() {
        return path;
    }

    /**
     * Begins a call. After it returns, the caller must call {@link #leave} once.
     *
     * @return the descriptor
     * @throws HeapException {@link Errno#ENODEV} when the device is closed
     */
    public int enter() {
        int now;
        do {
            now = users.get();
            if (now == 0 || closed.get()) {
                throw refusal(
                        heap,
                        Errno.ENODEV,
                        heap.isEmpty()
                                ? path + " is closed; open it again"
                                : "it has left, and " + path + " is closed; use an announced heap");
            }
        } while (!users.compareAndSet(now, now + 1));
        return fd;
    }

    /** Ends a call. The end of the last call on a closed device closes the descriptor. */
    public void leave() {
        if (users.decrementAndGet() == 0) {
            syscalls.close(fd);
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            leave();
        }
    }
}
