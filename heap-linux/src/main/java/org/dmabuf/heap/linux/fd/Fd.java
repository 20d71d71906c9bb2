// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fd;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Descriptor with one owner: closed once, by the first caller, and never again under the same number. */
public final class Fd implements OwnedFd {
    private static final int GONE = -1;
    private static final VarHandle NUMBER;

    static {
        try {
            NUMBER = MethodHandles.lookup().findVarHandle(Fd.class, "number", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Syscalls syscalls;
    private volatile int number;

    /**
     * Takes ownership.
     *
     * @param syscalls closes it
     * @param number an open descriptor that no other code closes
     */
    public Fd(Syscalls syscalls, int number) {
        if (number < 0) {
            throw new IllegalArgumentException("descriptor " + number);
        }
        this.syscalls = syscalls;
        this.number = number;
    }

    /**
     * Owns no descriptor before {@link #own}: made ahead, so that a shortage of memory cannot lose one that comes.
     *
     * @param syscalls closes it
     */
    public Fd(Syscalls syscalls) {
        this.syscalls = syscalls;
        this.number = GONE;
    }

    /**
     * Takes ownership. Called once, before any other thread has this object.
     *
     * @param descriptor an open descriptor that no other code closes
     */
    public void own(int descriptor) {
        number = descriptor;
    }

    @Override
    public int fd() {
        return open(number);
    }

    @Override
    public int detach() {
        return open(take());
    }

    /** {@return the number, which is the caller's to close, or a negative one when it was closed or detached} */
    public int take() {
        return (int) NUMBER.getAndSet(this, GONE);
    }

    @Override
    public void close() {
        int fd = take();
        if (fd != GONE) {
            boolean called = false;
            try {
                // Also after EINTR the number is free, and may be another thread's by now.
                syscalls.close(fd);
                called = true;
            } finally {
                if (!called) {
                    number = fd; // no stack or no memory for the call: it can be closed again
                }
            }
        }
    }

    private static int open(int fd) {
        if (fd == GONE) {
            throw new IllegalStateException("the descriptor was closed or detached");
        }
        return fd;
    }

    @Override
    public String toString() {
        int fd = number;
        return fd == GONE ? "closed descriptor" : "descriptor " + fd;
    }
}
