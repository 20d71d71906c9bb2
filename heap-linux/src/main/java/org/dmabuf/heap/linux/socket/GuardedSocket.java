// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntToLongFunction;
import org.dmabuf.heap.OwnedFd;

/**
 * Socket that can be closed while another thread waits in a call. The close first ends the wait, and closes the
 * descriptor only after the call has returned. Otherwise the call could reach another file with the same number.
 */
final class GuardedSocket implements AutoCloseable {
    private final SocketCalls sockets;
    private final OwnedFd socket;
    private final ReentrantLock inCall = new ReentrantLock();
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Takes ownership of a socket. */
    GuardedSocket(SocketCalls sockets, OwnedFd socket) {
        this.sockets = sockets;
        this.socket = socket;
    }

    /**
     * Makes a call. One call runs at a time.
     *
     * @param call gets the socket's number, which it must not store
     * @return its result
     * @throws IllegalStateException when the socket is closed
     */
    long call(IntToLongFunction call) {
        inCall.lock();
        try {
            if (closed.get()) {
                throw new IllegalStateException("the socket is closed");
            }
            return call.applyAsLong(socket.fd());
        } finally {
            inCall.unlock();
        }
    }

    /**
     * Makes a call that does not wait, unless another call runs.
     *
     * @param call gets the socket's number, which it must not store
     * @param busy result while another call runs
     * @param gone result after the socket was closed
     * @return the result of the call, or one of these
     */
    long callUnlessBusy(IntToLongFunction call, long busy, long gone) {
        if (!inCall.tryLock()) {
            return closed.get() ? gone : busy;
        }
        try {
            return closed.get() ? gone : call.applyAsLong(socket.fd());
        } finally {
            inCall.unlock();
        }
    }

    /** {@return whether this call closed it} */
    boolean closeOnce() {
        if (!closed.compareAndSet(false, true)) {
            return false;
        }
        sockets.shutdown(socket.fd());
        inCall.lock();
        try {
            socket.close();
        } finally {
            inCall.unlock();
        }
        return true;
    }

    @Override
    public void close() {
        closeOnce();
    }
}
