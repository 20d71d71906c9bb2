// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * Says which dma-bufs are gone, by the count of holders that the kernel shows. All watches of one dma-buf share one
 * descriptor of it, so that 1 holder is always this class. Guarded by its {@link PeerTable}.
 */
final class DmaBufCounts implements Follower {
    private final Syscalls syscalls;
    private final PeerCalls calls;
    private final Map<Long, FollowedFile.DmaBuf> files = new HashMap<>();

    DmaBufCounts(Syscalls syscalls, PeerCalls calls) {
        this.syscalls = syscalls;
        this.calls = calls;
    }

    FollowedFile.DmaBuf add(String heap, long size, int fd) {
        long inode = syscalls.inode(fd);
        if (inode < 0) {
            throw Refusal.of(heap, size, "statx", (int) inode);
        }
        FollowedFile.DmaBuf known = files.get(inode);
        if (known != null) {
            return known;
        }
        int ours = syscalls.fcntl(fd, Fcntl.F_DUPFD_CLOEXEC, 0);
        if (ours < 0) {
            throw Refusal.of(heap, size, "fcntl(F_DUPFD_CLOEXEC)", ours);
        }
        FollowedFile.DmaBuf file = new FollowedFile.DmaBuf(this, calls, inode, new Fd(syscalls, ours));
        long holders;
        try {
            holders = file.count();
        } catch (HeapException e) {
            file.close();
            throw Refusal.of(heap, size, "open(/proc/self/fdinfo)", -e.errno().number());
        }
        if (holders < 0) {
            file.close();
            throw new HeapException(
                    Errno.ENOTSUP,
                    heap,
                    "heap '" + heap + "': nothing would tell when those who got the descriptor of a buffer of "
                            + Bytes.text(size) + " have let go of it: /proc/self/fdinfo shows no count; is /proc"
                            + " mounted, and the kernel 5.3 or newer?");
        }
        files.put(inode, file);
        return file;
    }

    void remove(FollowedFile.DmaBuf file) {
        files.remove(file.inode);
        file.close();
    }

    @Override
    public long dueIn(long now) {
        long due = NEVER;
        for (FollowedFile.DmaBuf file : files.values()) {
            if (file.awaited()) {
                due = Math.min(due, file.pace.dueIn(now));
            }
        }
        return due;
    }

    @Override
    public void look(long now, boolean atAll, Consumer<FollowedFile> gone) {
        for (FollowedFile.DmaBuf file : List.copyOf(files.values())) {
            if (file.awaited() && (file.pace.isDue(now) || atAll)) {
                look(file, gone);
            }
        }
    }

    void look(FollowedFile.DmaBuf file, Consumer<FollowedFile> gone) {
        if (file.holders() == 1) {
            remove(file);
            gone.accept(file);
        }
    }
}
