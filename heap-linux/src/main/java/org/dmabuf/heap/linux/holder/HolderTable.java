// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.kernel.EventFd;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Table of all memory that the {@linkplain HolderTracker trackers} of a process track, with the thread that waits for
 * the holders. The trackers are its members. The table is closed when the last member leaves, and is not reused.
 *
 * <p>Non-blocking system calls are made under its lock; callbacks run outside of it.
 */
final class HolderTable {
    private static final QuietLog LOG = new QuietLog(HolderTable.class);

    /** Interval between attempts of a failed system call. */
    static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /** How long a close waits for a running callback. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(2);
    /**
     * How long the result of a poll is reused for callers that are short of memory, because each poll reads a file for
     * each dma-buf.
     */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    /**
     * Pause of the thread after it has found ends. The ends of this time wake it once, because each wake-up delays the
     * thread that closed the memory.
     */
    private static final int PAUSE_MILLIS = 1;

    private static final int NO_FILE = -1;

    /** Table of all trackers that use the running kernel; guarded by the class. */
    private static HolderTable shared;

    private final Syscalls syscalls;

    // All guarded by this.
    private final Map<HolderTracker, Set<HolderWatch>> members = new IdentityHashMap<>();
    private final Inotify inotify;
    private final DmaBufCounts dmaBufs;
    private final SecretLocks secrets;
    private final List<FileTracker> trackers;
    private final DueCallbacks callbacks = new DueCallbacks(this, this::wakeIfWaiting);
    private final Consumer<TrackedFile> end = this::end;
    private final EventFd wake;
    private Thread thread;
    /** Descriptor of inotify whose events end the thread's wait, or negative. */
    private int heard = NO_FILE;

    private boolean closed;
    private long lookedAt = System.nanoTime() - LOOK_NANOS;

    HolderTable(Syscalls syscalls, HolderCalls calls) {
        this.syscalls = syscalls;
        this.inotify = new Inotify(syscalls, calls);
        this.dmaBufs = new DmaBufCounts(syscalls, calls);
        this.secrets = new SecretLocks(calls);
        this.trackers = List.of(inotify, dmaBufs, secrets);
        this.wake = new EventFd(syscalls);
    }

    /** Adds a member. {@return the table of this process} */
    static synchronized HolderTable joinShared(HolderTracker member) {
        if (shared == null) {
            shared = new HolderTable(Syscalls.linux(), HolderCalls.linux());
        }
        shared.join(member);
        return shared;
    }

    synchronized void join(HolderTracker member) {
        members.put(member, new HashSet<>());
    }

    /** Removes a member and all its waits. The last member closes the table. */
    void leave(HolderTracker member) {
        boolean last;
        synchronized (HolderTable.class) { // prevents a tracker from joining a closing table
            synchronized (this) {
                for (HolderWatch watch : List.copyOf(members.get(member))) {
                    drop(watch);
                }
                members.remove(member);
                last = members.isEmpty();
            }
            if (last && shared == this) {
                shared = null;
            }
        }
        if (last) {
            close();
        }
    }

    synchronized HolderWatch watch(HolderTracker owner, String heap, long size, int fd) {
        Set<HolderWatch> watches = members.get(owner);
        if (watches == null) {
            throw new IllegalStateException("the holder tracker is closed");
        }
        if (!wake.isOpen()) { // opened here, because a failure when a watch waits would come too late
            require(heap, size, "eventfd2", wake.open());
        }
        TrackedFile file = fileOf(heap, size, fd);
        boolean added = false;
        try {
            HolderWatch watch = new HolderWatch(this, owner, file);
            watches.add(watch);
            file.hold(fd);
            file.watches.add(watch);
            added = true;
            return watch;
        } finally {
            if (!added) {
                watches.removeIf(watch -> !watch.file.watches.contains(watch));
                forgetUnwatched(file);
            }
        }
    }

    private TrackedFile fileOf(String heap, long size, int fd) {
        long kind = syscalls.fileSystem(fd);
        if (kind < 0) {
            throw KernelError.of(heap, size, "fstatfs", (int) kind);
        }
        if (kind == MemoryKind.DMA_BUF_MAGIC) {
            return dmaBufs.add(heap, size, fd);
        }
        if (kind == MemoryKind.SECRET_MAGIC) {
            return secrets.add(heap, size, fd);
        }
        if (isMemfd(heap, size, kind, fd)) {
            return inotify.add(heap, size, fd);
        }
        throw HeapException.of(
                Errno.ENOTSUP,
                heap,
                "a buffer of " + Bytes.text(size) + " cannot be exported: it is neither memfd nor dma-buf, and the"
                        + " kernel does not show when its last holder is gone; use a heap of memfds or dma-bufs");
    }

    /**
     * Returns whether a descriptor is a memfd. Device nodes are on a file system of the same kind, but do not have
     * seals. A file on tmpfs has a name, and inotify reports the removal of that name, not the end of the last holder.
     */
    private boolean isMemfd(String heap, long size, long kind, int fd) {
        return (kind == MemoryKind.TMPFS_MAGIC || kind == MemoryKind.HUGETLBFS_MAGIC)
                && syscalls.fcntl(fd, Memfd.F_GET_SEALS, 0) >= 0
                && require(heap, size, "statx", syscalls.links(fd)) == 0;
    }

    private static int require(String heap, long size, String call, int result) {
        if (result < 0) {
            throw KernelError.of(heap, size, call, result);
        }
        return result;
    }

    void whenGone(HolderWatch watch, Runnable callback) {
        boolean mine;
        synchronized (this) {
            if (watch.callback != null) {
                throw new IllegalStateException("whenGone was called before");
            }
            watch.callback = callback;
            if (!watch.gone && !watch.dropped) {
                begin(watch.file);
                if (!watch.gone && !watch.file.endsBy(heard)) {
                    wakeThread();
                }
                wakeIfDoubted();
            }
            mine = watch.gone && !watch.dropped;
            watch.due = false; // this thread runs it, so no other thread must
            callbacks.enter();
        }
        try {
            if (mine) {
                callbacks.run(watch);
            }
        } finally {
            callbacks.runAll();
        }
    }

    /** Begins to wait for the last holder of a file, and polls once. The wait goes on even if the poll fails. */
    private void begin(TrackedFile file) {
        try {
            file.await(System.nanoTime(), end);
        } catch (RuntimeException | Error e) {
            LOG.error("polling for holders failed; the waiting thread polls again", e);
        }
    }

    synchronized void drop(HolderWatch watch) {
        if (watch.dropped) {
            return;
        }
        watch.dropped = true;
        if (watch.gone) {
            return;
        }
        members.get(watch.owner).remove(watch);
        TrackedFile file = watch.file;
        file.watches.remove(watch);
        forgetUnwatched(file);
    }

    private static void forgetUnwatched(TrackedFile file) {
        if (file.watches.isEmpty()) {
            file.letGo();
            file.forget();
        }
    }

    /** Makes the callbacks of a file without holders due. Does not allocate and therefore cannot fail. */
    private void end(TrackedFile file) {
        for (int i = 0; i < file.watches.size(); i++) {
            HolderWatch watch = file.watches.get(i);
            watch.gone = true;
            members.get(watch.owner).remove(watch);
            if (watch.callback != null) {
                callbacks.add(watch);
            }
        }
        file.watches.clear();
        file.letGo();
    }

    /** Lets the thread poll by the clock if it waits for events of which another thread may have lost some. */
    private void wakeIfDoubted() {
        if (heard >= 0 && heard != inotify.fd()) {
            wakeIfWaiting();
        }
    }

    private void wakeIfWaiting() {
        if (!closed && thread != null) { // the number of a closed counter may be another file's
            wake.signal();
        }
    }

    private void wakeThread() {
        if (thread == null) {
            try {
                Thread made =
                        DaemonLoop.thread("dmaheap-holders", "waiting for holders failed", RETRY_NANOS, this::step);
                made.start();
                thread = made;
            } catch (RuntimeException | Error e) { // no thread can be started; watches go on waiting
                LOG.error("starting the holder thread failed; the next buffer starts it again", e);
                return;
            }
        }
        wake.signal();
    }

    /** {@return whether the thread goes on} */
    private boolean step() {
        if (!waitForNews()) {
            return false;
        }
        synchronized (this) {
            if (closed) {
                return false;
            }
            callbacks.enter();
        }
        boolean found;
        try {
            synchronized (this) {
                wake.clear();
                lookAround(false);
                found = callbacks.areLeft();
            }
        } finally {
            callbacks.runAll();
        }
        if (found) {
            wake.await(NO_FILE, EventFd.POLLIN, PAUSE_MILLIS);
        }
        return true;
    }

    /** {@return false if the table is closed} */
    private boolean waitForNews() {
        int events;
        int millis;
        synchronized (this) {
            if (closed) {
                return false;
            }
            events = inotify.fd();
            heard = events;
            millis = callbacks.areLeft() ? 0 : millisUntilDue();
        }
        int result = wake.await(events, EventFd.POLLIN, millis);
        if (result < 0 && result != -Errno.EINTR.number()) {
            LockSupport.parkNanos(RETRY_NANOS);
        }
        return true;
    }

    /** {@return milliseconds, rounded up, until the next poll is due; negative for never} */
    private int millisUntilDue() {
        long now = System.nanoTime();
        long due = FileTracker.NEVER;
        for (FileTracker tracker : trackers) {
            due = Math.min(due, tracker.dueIn(now));
        }
        return due == FileTracker.NEVER ? -1 : (int) Math.max(0, TimeUnit.NANOSECONDS.toMillis(due) + 1);
    }

    long ended() {
        return callbacks.count();
    }

    /** Polls for holders and runs all due callbacks. {@return number of callbacks that have run} */
    long look() {
        synchronized (this) {
            callbacks.enter();
        }
        try {
            synchronized (this) {
                if (!closed) {
                    lookForRefusal();
                }
            }
        } finally {
            callbacks.runAll();
        }
        callbacks.awaitOthers();
        return callbacks.count();
    }

    private void lookForRefusal() {
        long now = System.nanoTime();
        boolean atAll = now - lookedAt >= LOOK_NANOS;
        if (atAll) {
            lookedAt = now;
        }
        try {
            lookAround(atAll);
        } finally {
            wakeIfDoubted();
        }
    }

    private void lookAround(boolean atAll) {
        long now = System.nanoTime();
        for (FileTracker tracker : trackers) {
            tracker.look(now, atAll, end);
        }
    }

    private void close() {
        Thread waiting;
        synchronized (this) {
            closed = true;
            waiting = thread;
            if (waiting != null) {
                wake.signal();
            }
        }
        if (waiting != null && waiting != Thread.currentThread()) {
            join(waiting);
        }
        synchronized (this) {
            inotify.close();
            wake.close();
        }
    }

    /** Waits for the thread. If a callback hangs, the thread finds the closed table after the callback returns. */
    private static void join(Thread waiting) {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        boolean interrupted = false;
        long left;
        while (waiting.isAlive() && (left = deadline - System.nanoTime()) > 0) {
            try {
                waiting.join(TimeUnit.NANOSECONDS.toMillis(left) + 1);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
