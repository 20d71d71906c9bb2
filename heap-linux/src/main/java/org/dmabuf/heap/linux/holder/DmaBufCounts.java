// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Tracker of dma-bufs by the kernel's count of holders. All watches of one dma-buf share one descriptor, so that a
 * count of 1 means that only this class holds it. Guarded by its {@link HolderTable}.
 */
final class DmaBufCounts implements FileTracker {
    private final Syscalls syscalls;
    private final HolderCalls calls;
    private final Map<Long, TrackedFile.DmaBuf> files = new HashMap<>();

    DmaBufCounts(Syscalls syscalls, HolderCalls calls) {
        this.syscalls = syscalls;
        this.calls = calls;
    }

    TrackedFile.DmaBuf add(String heap, long size, int fd) {
        long inode = syscalls.inode(fd);
        if (inode < 0) {
            throw KernelError.of(heap, size, "statx", (int) inode);
        }
        TrackedFile.DmaBuf known = files.get(inode);
        if (known != null) {
            return known;
        }
        // First, so that the descriptor never exists without its owner.
        OwnedFd ours = OwnedFd.awaiting(syscalls::close, Optional.empty());
        TrackedFile.DmaBuf file = new TrackedFile.DmaBuf(this, calls, inode, ours);
        int copy = syscalls.fcntl(fd, Fcntl.F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            throw KernelError.of(heap, size, "fcntl(F_DUPFD_CLOEXEC)", copy);
        }
        ours.own(copy);
        boolean added = false;
        try {
            requireCount(heap, size, file);
            files.put(inode, file);
            added = true;
            return file;
        } finally {
            if (!added) {
                remove(file); // the map may contain it, if growing the map failed for lack of memory
            }
        }
    }

    private static void requireCount(String heap, long size, TrackedFile.DmaBuf file) {
        long holders;
        try {
            holders = file.count();
        } catch (HeapException e) {
            throw KernelError.of(
                    heap, size, "open(/proc/self/fdinfo)", -e.errno().number());
        }
        if (holders < 0) {
            throw HeapException.of(
                    Errno.ENOTSUP,
                    heap,
                    "a buffer of "
                            + Bytes.text(size) + " cannot be exported: /proc/self/fdinfo shows no count; mount /proc,"
                            + " and use kernel 5.3 or later");
        }
    }

    void remove(TrackedFile.DmaBuf file) {
        files.remove(file.inode);
        file.close();
    }

    @Override
    public long dueIn(long now) {
        long due = NEVER;
        for (TrackedFile.DmaBuf file : files.values()) {
            if (file.awaited()) {
                due = Math.min(due, file.backoff.dueIn(now));
            }
        }
        return due;
    }

    @Override
    public void look(long now, boolean atAll, Consumer<TrackedFile> gone) {
        for (TrackedFile.DmaBuf file : List.copyOf(files.values())) {
            if (file.awaited() && (file.backoff.isDue(now) || atAll)) {
                look(file, gone);
            }
        }
    }

    void look(TrackedFile.DmaBuf file, Consumer<TrackedFile> gone) {
        if (file.holders() == 1) {
            remove(file);
            gone.accept(file);
        }
    }
}
