// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.dmabuf.heap.OwnedFd;

/**
 * Descriptor that another process sent, of a file that can be anything. Closing one can wait for its file system, which
 * can be a program of the sender's (FUSE), without limit and not even to be ended by SIGKILL. What is not known to be
 * memory is therefore closed on a thread of its own ({@link Disposal}).
 */
final class ForeignFd implements OwnedFd {
    private static final int GONE = -1;
    private static final VarHandle NUMBER;

    static {
        try {
            NUMBER = MethodHandles.lookup().findVarHandle(ForeignFd.class, "number", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Syscalls syscalls;
    private final Disposal disposal;
    private volatile int number = GONE;

    /** The number that is being closed, and the next object that waits for it: guarded by the disposal. */
    int closing;

    ForeignFd next;

    /** Made before the descriptor comes, so that no shortage of memory can lose it. */
    ForeignFd(Syscalls syscalls, Disposal disposal) {
        this.syscalls = syscalls;
        this.disposal = disposal;
    }

    /** Takes ownership. */
    void own(int descriptor) {
        number = descriptor;
    }

    @Override
    public int fd() {
        return open(number);
    }

    @Override
    public int detach() {
        return open((int) NUMBER.getAndSet(this, GONE));
    }

    @Override
    public void close() {
        int fd = (int) NUMBER.getAndSet(this, GONE);
        if (fd == GONE) {
            return;
        }
        boolean known = false;
        try {
            known = ForeignMemory.isMemory(syscalls, fd);
        } finally {
            if (known) {
                syscalls.close(fd);
            } else {
                closing = fd;
                disposal.add(this);
            }
        }
    }

    /** Called by the disposal; can wait without limit. */
    void closeNow() {
        syscalls.close(closing);
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
