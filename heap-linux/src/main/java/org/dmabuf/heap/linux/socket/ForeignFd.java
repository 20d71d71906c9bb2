// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.util.Optional;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Closer of a descriptor that another process sent, of a file that can be anything. Closing one can wait for its file
 * system, which can be a program of the sender's (FUSE), without limit, and SIGKILL does not end the wait. A file that
 * is not known to be memory is therefore closed on a thread of its own ({@link ForeignFdCloser}).
 */
final class ForeignFd implements OwnedFd.Closer {
    private final Syscalls syscalls;
    private final ForeignFdCloser closer;
    private final OwnedFd descriptor = OwnedFd.awaiting(this, Optional.empty());
    /** Number that the closer is to close. */
    private int unwanted;
    /** Next one in the closer's list, which the closer guards. */
    ForeignFd next;

    /** Made before the descriptor comes, so that no shortage of memory can lose it. */
    ForeignFd(Syscalls syscalls, ForeignFdCloser closer) {
        this.syscalls = syscalls;
        this.closer = closer;
    }

    /** {@return the owner of the descriptor, which owns none before one came} */
    OwnedFd descriptor() {
        return descriptor;
    }

    /** Throws nothing once the closer has the number: its owner would close it a second time. */
    @Override
    public void close(int number) {
        if (isMemory(number)) {
            syscalls.close(number);
        } else {
            unwanted = number;
            closer.add(this);
        }
    }

    private boolean isMemory(int number) {
        try {
            return MemoryKind.isMemory(syscalls, number);
        } catch (OutOfMemoryError | StackOverflowError e) {
            return false; // as when the kernel does not tell
        }
    }

    /** Called by the closer; can wait without limit. */
    void closeNow() {
        syscalls.close(unwanted);
    }
}
