// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.util.Optional;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Closer of a descriptor that another process sent. Its file can be of any kind. Closing it can block without limit in
 * its file system, which can be a program of the sender (FUSE). SIGKILL does not end that wait. A file that is not
 * known to be memory is therefore closed on another thread ({@link ForeignFdCloser}).
 */
final class ForeignFd implements OwnedFd.Closer {
    private final Syscalls syscalls;
    private final ForeignFdCloser closer;
    private final OwnedFd descriptor = OwnedFd.awaiting(this, Optional.empty());
    /** Descriptor to close. */
    private int unwanted;
    /** Next object in the closer's list, which the closer guards. */
    ForeignFd next;

    /** Made before the descriptor is received, so that a shortage of memory cannot lose it. */
    ForeignFd(Syscalls syscalls, ForeignFdCloser closer) {
        this.syscalls = syscalls;
        this.closer = closer;
    }

    /** {@return the owner of the descriptor, which owns none before it is received} */
    OwnedFd descriptor() {
        return descriptor;
    }

    /** Must not throw after the closer has the number, because its owner would close it a second time. */
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
            return false; // as if the kernel did not report the kind
        }
    }

    /** Called by the closer; can block without limit. */
    void closeNow() {
        syscalls.close(unwanted);
    }
}
