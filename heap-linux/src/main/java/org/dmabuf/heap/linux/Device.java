// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * A device node, opened once for all allocations. It can be closed while other threads are in calls on it: the number
 * is given back when the last of them has returned, else a call could be made on whatever file got the number next.
 */
final class Device implements AutoCloseable {
    private final Syscalls syscalls;
    private final String heap;
    private final String path;
    private final int fd;

    /** Calls under way, and one for as long as the device is not closed. */
    private final AtomicInteger users = new AtomicInteger(1);

    private final AtomicBoolean closed = new AtomicBoolean();

    private Device(Syscalls syscalls, String heap, String path, int fd) {
        this.syscalls = syscalls;
        this.heap = heap;
        this.path = path;
        this.fd = fd;
    }

    /**
     * Opens a node for reading, which is enough to allocate.
     *
     * @param syscalls the kernel
     * @param heap named in refusals
     * @param path of the node
     * @return the device
     * @throws HeapException the kernel's refusal, with the remedy
     */
    static Device open(Syscalls syscalls, String heap, String path) {
        int fd = syscalls.open(path, Memfd.O_RDONLY | Memfd.O_CLOEXEC);
        if (fd < 0) {
            throw Refusal.of(heap, "open(" + path + ")", fd);
        }
        return new Device(syscalls, heap, path, fd);
    }

    /**
     * Begins a call. A caller for whom it returns calls {@link #leave} once.
     *
     * @return the descriptor
     * @throws HeapException {@link Errno#ENODEV} when the device is closed
     */
    int enter() {
        int now;
        do {
            now = users.get();
            if (now == 0 || closed.get()) {
                throw new HeapException(
                        Errno.ENODEV,
                        heap,
                        "heap '" + heap + "' has gone and " + path + " is closed; use a heap that is announced");
            }
        } while (!users.compareAndSet(now, now + 1));
        return fd;
    }

    void leave() {
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
