// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Tracker of memfds by one inotify instance. A memfd has no name, so its inode is deleted with its last descriptor,
 * mapping or message in flight. Guarded by its {@link HolderTable}.
 */
final class Inotify implements FileTracker {
    private static final int IN_DELETE_SELF = 0x400;
    private static final int IN_UNMOUNT = 0x2000;
    private static final int IN_Q_OVERFLOW = 0x4000;
    /** The watch has ended. The event follows IN_DELETE_SELF, and comes alone if that was lost in an overflow. */
    private static final int IN_IGNORED = 0x8000;

    private static final int EVENT = 16; // struct inotify_event: int wd, u32 mask, u32 cookie, u32 len; then a name
    /**
     * Enough reads to empty a queue of the default length; the limit prevents endless reading while other threads close
     * files.
     */
    private static final int MOST_READS = 64;

    private static final int CLOSED = -1;

    private final Syscalls syscalls;
    private final HolderCalls calls;
    private final MemorySegment events = Arena.ofAuto().allocate(256L * EVENT, 8);
    private final Map<Integer, TrackedFile.Memfd> files = new HashMap<>();
    private int fd = CLOSED;
    /** Whether events may have been lost, so that the kernel's list of watches must be read. */
    private boolean doubtful;

    Inotify(Syscalls syscalls, HolderCalls calls) {
        this.syscalls = syscalls;
        this.calls = calls;
    }

    /**
     * {@return a descriptor that is readable when there are events; negative if the table polls by the clock instead}
     */
    int fd() {
        return doubtful ? CLOSED : fd;
    }

    @Override
    public long dueIn(long now) {
        return doubtful ? HolderTable.RETRY_NANOS : NEVER;
    }

    TrackedFile.Memfd add(String heap, long size, int memfd) {
        if (fd == CLOSED) {
            int made = calls.inotify();
            if (made < 0) {
                throw KernelError.of(heap, size, "inotify_init1", made);
            }
            fd = made;
        }
        int number = calls.addWatch(fd, "/proc/self/fd/" + memfd, IN_DELETE_SELF);
        if (number < 0) {
            throw KernelError.of(heap, size, "inotify_add_watch", number);
        }
        boolean tracked = false;
        try {
            TrackedFile.Memfd file = files.computeIfAbsent(number, key -> new TrackedFile.Memfd(this, key));
            tracked = true;
            return file;
        } finally {
            if (!tracked) {
                calls.removeWatch(fd, number);
            }
        }
    }

    void remove(TrackedFile.Memfd file) {
        if (files.remove(file.number, file)) {
            calls.removeWatch(fd, file.number);
        }
    }

    @Override
    public void look(long now, boolean atAll, Consumer<TrackedFile> gone) {
        if (fd == CLOSED) {
            return;
        }
        boolean whole = false;
        try {
            whole = readAll(gone);
        } finally {
            doubtful |= !whole; // events that were read but not processed are lost
            doubtful &= !files.isEmpty(); // without a file, no end can be missed
        }
        if (doubtful) {
            reconcile(gone);
        }
    }

    /** {@return whether the queue was read to its end or to the limit of reads} */
    private boolean readAll(Consumer<TrackedFile> gone) {
        long read = 1;
        for (int reads = 0; reads < MOST_READS && (read > 0 || read == -Errno.EINTR.number()); reads++) {
            read = read();
            if (read > 0) {
                take(read, gone);
            }
        }
        return read > 0 || read == -Errno.EAGAIN.number() || read == -Errno.EINTR.number();
    }

    private long read() {
        try {
            return syscalls.read(fd, events.address(), events.byteSize());
        } finally {
            Reference.reachabilityFence(events); // the call has only its address
        }
    }

    private void take(long bytes, Consumer<TrackedFile> gone) {
        long at = 0;
        while (bytes - at >= EVENT) {
            int number = events.get(JAVA_INT, at);
            int mask = events.get(JAVA_INT, at + 4);
            if ((mask & IN_Q_OVERFLOW) != 0) {
                doubtful = true;
            } else if ((mask & (IN_DELETE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) {
                TrackedFile.Memfd file = files.remove(number);
                if (file != null) { // null if an earlier event ended it, or it was removed
                    gone.accept(file);
                }
            }
            at += EVENT + Integer.toUnsignedLong(events.get(JAVA_INT, at + 12));
        }
        if (at != bytes) {
            doubtful = true; // not expected: the kernel returns only whole events
        }
    }

    /**
     * Compares the files with the kernel's list of watches. A watch that ends after the list was made leaves an event
     * or another overflow event. The kernel always has space for an overflow event, and one that is already queued has
     * not been read yet.
     */
    private void reconcile(Consumer<TrackedFile> gone) {
        Set<Integer> listed = new HashSet<>();
        try {
            String list = calls.fdinfo(fd);
            if (!list.endsWith("\n")) {
                return; // an incomplete list would make the other files seem deleted
            }
            for (String line : (Iterable<String>) list.lines()::iterator) {
                if (line.startsWith("inotify wd:")) {
                    int from = "inotify wd:".length();
                    listed.add(Integer.parseInt(line.substring(from, line.indexOf(' ', from)), 16));
                }
            }
        } catch (IOException | RuntimeException e) {
            return; // if in doubt, all files count as held, and the list is read again
        }
        for (Iterator<TrackedFile.Memfd> each = files.values().iterator(); each.hasNext(); ) {
            TrackedFile.Memfd file = each.next();
            if (!listed.contains(file.number)) {
                each.remove();
                gone.accept(file);
            }
        }
        doubtful = false;
    }

    void close() {
        files.clear();
        if (fd != CLOSED) {
            syscalls.close(fd);
            fd = CLOSED;
        }
    }
}
