// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fence;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.kernel.EventFd;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Fences of the devices that use dma-bufs, with the daemon thread {@code dmaheap-fences} that watches those with a
 * waiting client by epoll(7). The thread starts with the first wait and ends with {@link #close()}.
 *
 * <p>The thread watches sync_files and never the dma-bufs: a dma-buf that is polled has one more holder.
 *
 * <p>Any thread may call any method. Non-blocking system calls are made under the lock of this.
 */
public final class DeviceFences implements AutoCloseable {
    private static final int NONE = -1;
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private final Syscalls syscalls;
    private final EpollCalls calls;
    private final long[] tokens = new long[EpollCalls.MOST_EVENTS];

    // All guarded by this. The thread starts after epoll and wake are set.
    private final Map<Long, DeviceFence> waiting = new HashMap<>();
    private EventFd wake;
    private int epoll = NONE;
    private long lastToken;
    private boolean closed;

    /**
     * Makes an object that takes no resources of the system before the first wait.
     *
     * @param syscalls the kernel
     */
    public DeviceFences(Syscalls syscalls) {
        this(syscalls, EpollCalls.linux());
    }

    DeviceFences(Syscalls syscalls, EpollCalls calls) {
        this.syscalls = syscalls;
        this.calls = calls;
    }

    /**
     * Makes a fence without a descriptor.
     *
     * @param heap named in exceptions
     * @param buffer named in exceptions, as {@code buffer 'frame' of 8 KiB}
     * @return the fence, which the caller closes
     */
    public DeviceFence fence(String heap, String buffer) {
        return new DeviceFence(this, syscalls, heap, buffer);
    }

    /**
     * Begins to watch a fence, which is woken when it is signalled, or when this is closed.
     *
     * @return a token for {@link #forget}, an object so that its end needs no memory
     */
    synchronized Long watch(DeviceFence fence, int syncFile, String heap) {
        Long token = ++lastToken; // not the descriptor's number, which is used again for another fence
        if (closed) {
            fence.wake();
            return token;
        }
        if (epoll == NONE) {
            start(heap);
        }
        boolean added = false;
        try {
            waiting.put(token, fence);
            require(heap, "epoll_ctl", calls.add(epoll, syncFile, token));
            added = true;
            return token;
        } finally {
            if (!added) {
                waiting.remove(token);
            }
        }
    }

    /** Ends the watch. Called before the descriptor is closed. */
    synchronized void forget(Long token, int syncFile) {
        waiting.remove(token);
        if (!closed) { // otherwise the number of the epoll instance may be that of another file
            calls.remove(epoll, syncFile);
        }
    }

    synchronized boolean isClosed() {
        return closed;
    }

    /** Opens the descriptors and starts the thread, or leaves nothing. */
    private void start(String heap) {
        EventFd made = new EventFd(syscalls);
        require(heap, "eventfd2", made.open());
        boolean started = false;
        try {
            epoll = require(heap, "epoll_create1", calls.create());
            wake = made;
            DaemonLoop.thread("dmaheap-fences", "watching fences of devices failed", RETRY_NANOS, this::step)
                    .start();
            started = true;
        } finally {
            if (!started) {
                made.close();
                closeEpoll();
            }
        }
    }

    private void closeEpoll() {
        if (epoll != NONE) {
            syscalls.close(epoll);
            epoll = NONE;
        }
    }

    /** {@return whether the thread goes on} */
    private boolean step() {
        int result = wake.await(epoll, EventFd.POLLIN, -1);
        synchronized (this) {
            if (closed) {
                wake.close();
                closeEpoll();
                return false;
            }
            requireUnlessInterrupted("poll", result);
            int count = requireUnlessInterrupted("epoll_wait", calls.ready(epoll, tokens));
            for (int i = 0; i < count; i++) {
                DeviceFence fence = waiting.get(tokens[i]);
                if (fence != null) { // null if its wait has just ended
                    fence.wake();
                }
            }
        }
        return true;
    }

    private static int require(String heap, String call, int result) {
        if (result < 0) {
            throw KernelError.of(heap, call, result);
        }
        return result;
    }

    private static int requireUnlessInterrupted(String call, int result) {
        return result == -Errno.EINTR.number() ? 0 : require("", call, result);
    }

    /**
     * Ends each wait with {@link Errno#ECANCELED}, and lets the thread close its descriptors and end. Closing twice
     * does nothing.
     */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            waiting.values().forEach(DeviceFence::wake);
            if (epoll != NONE) {
                wake.signal();
            }
        }
    }
}
