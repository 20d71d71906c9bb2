// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Fd;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Descriptor that another process sent, of a file that can be anything. Closing one can wait for its file system, which
 * can be a program of the sender's (FUSE), without limit, and SIGKILL does not end the wait. A file that is not known
 * to be memory is therefore closed on a thread of its own ({@link ForeignFdCloser}).
 */
final class ForeignFd implements OwnedFd {
    private final Syscalls syscalls;
    private final ForeignFdCloser closer;
    private final Fd descriptor;
    /** Number that the closer is to close. */
    private int unwanted;
    /** Next one in the closer's list, which the closer guards. */
    ForeignFd next;

    /** Made before the descriptor comes, so that no shortage of memory can lose it. */
    ForeignFd(Syscalls syscalls, ForeignFdCloser closer) {
        this.syscalls = syscalls;
        this.closer = closer;
        this.descriptor = new Fd(syscalls);
    }

    /** Takes ownership. */
    void own(int number) {
        descriptor.own(number);
    }

    @Override
    public int fd() {
        return descriptor.fd();
    }

    @Override
    public int detach() {
        return descriptor.detach();
    }

    @Override
    public void close() {
        int number = descriptor.take();
        if (number < 0) {
            return;
        }
        boolean memory = false;
        try {
            memory = MemoryKind.isMemory(syscalls, number);
        } finally {
            if (memory) {
                syscalls.close(number);
            } else {
                unwanted = number;
                closer.add(this);
            }
        }
    }

    /** Called by the closer; can wait without limit. */
    void closeNow() {
        syscalls.close(unwanted);
    }

    @Override
    public String toString() {
        return descriptor.toString();
    }
}
