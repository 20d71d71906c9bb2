// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.lang.System.Logger.Level;
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
 * Table of all memory that the {@linkplain HolderTracker trackers} of a process track, with the one thread that waits.
 * The trackers are its members. It is closed when the last of them leaves, and is not used again.
 *
 * <p>System calls that do not wait are made under its lock; callbacks run outside of it.
 */
final class HolderTable {
    private static final QuietLog LOG = new QuietLog(HolderTable.class);

    /** Between two attempts at a call that the system refused. */
    static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /** How long a close waits for a callback that runs. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(2);
    /** How long an answer serves callers that are short of memory: each look reads a file for each dma-buf. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    /** The one of all trackers that use the running kernel; guarded by the class. */
    private static HolderTable shared;

    private final Syscalls syscalls;

    // All guarded by this.
    private final Map<HolderTracker, Set<HolderWatch>> members = new IdentityHashMap<>();
    private final Inotify inotify;
    private final DmaBufCounts dmaBufs;
    private final SecretLocks secrets;
    private final List<FileTracker> trackers;
    private final DueCallbacks callbacks = new DueCallbacks(this);
    private final Consumer<TrackedFile> end = this::end;
    private final EventFd wake;
    private Thread thread;
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

    /** {@return the table of this process, with one member more} */
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

    /** Drops all that a member waits for. The last one closes the table. */
    void leave(HolderTracker member) {
        boolean last;
        synchronized (HolderTable.class) { // no tracker joins a table that closes
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
            throw new IllegalStateException("closed: holders are not waited for any more");
        }
        if (!wake.isOpen()) { // here, and not when a watch waits: then a refusal would come too late
            require(heap, size, "eventfd", wake.open());
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
                "a buffer of " + Bytes.text(size) + " is neither memfd nor dma-buf: nothing"
                        + " would tell when those who got its descriptor have let go of it");
    }

    /**
     * A device's node is on a file system of the same kind, but only memory has seals. A file of that file system has a
     * name, and the kernel reports its end when the name is removed and not when the last holder has gone.
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
                if (!watch.gone) {
                    wakeThread();
                }
            }
            mine = watch.gone && !watch.dropped;
            watch.due = false; // this thread runs it, and no other
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

    /** Begins to wait for the end of a file, and looks whether it has come. From here on the wait goes on. */
    private void begin(TrackedFile file) {
        try {
            file.await(System.nanoTime(), end);
        } catch (RuntimeException | Error e) {
            LOG.failure(Level.ERROR, "asking for holders failed; the thread that waits for them asks again", e);
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
        if (watch.callback != null) {
            file.unawait();
        }
        forgetUnwatched(file);
    }

    private static void forgetUnwatched(TrackedFile file) {
        if (file.watches.isEmpty()) {
            file.letGo();
            file.forget();
        }
    }

    /** Makes the callbacks of a file that has gone due. Allocates nothing, and so does not fail. */
    private void end(TrackedFile file) {
        for (int i = 0; i < file.watches.size(); i++) {
            HolderWatch watch = file.watches.get(i);
            watch.gone = true;
            members.get(watch.owner).remove(watch);
            if (watch.callback != null) {
                file.unawait();
                callbacks.add(watch);
            }
        }
        file.watches.clear();
        file.letGo();
    }

    private void wakeThread() {
        if (thread == null) {
            try {
                Thread made = DaemonLoop.thread(
                        "dmaheap-holders",
                        "waiting for holders failed",
                        RETRY_NANOS,
                        this::step);
                made.start();
                thread = made;
            } catch (RuntimeException | Error e) { // no more threads are to be had; watches go on waiting
                LOG.failure(Level.ERROR, "no thread to wait for holders; tried again with the next buffer", e);
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
        try {
            synchronized (this) {
                wake.clear();
                lookAround(false);
            }
        } finally {
            callbacks.runAll();
        }
        return true;
    }

    /** {@return false when the table is closed} */
    private boolean waitForNews() {
        int events;
        int millis;
        synchronized (this) {
            if (closed) {
                return false;
            }
            events = inotify.fd();
            millis = callbacks.areLeft() ? 0 : millisUntilDue();
        }
        int result = wake.await(events, EventFd.POLLIN, millis);
        if (result < 0 && result != -Errno.EINTR.number()) {
            LockSupport.parkNanos(RETRY_NANOS);
        }
        return true;
    }

    /** {@return milliseconds, rounded up, until some files are to be looked at by the clock; negative for never} */
    private int millisUntilDue() {
        long now = System.nanoTime();
        long due = FileTracker.NEVER;
        for (FileTracker tracker : trackers) {
            due = Math.min(due, tracker.dueIn(now));
        }
        return due == FileTracker.NEVER ? -1 : (int) Math.max(0, TimeUnit.NANOSECONDS.toMillis(due) + 1);
    }

    long told() {
        return callbacks.count();
    }

    /** {@return how many callbacks have run, after all that are due now} */
    long look() {
        synchronized (this) {
            callbacks.enter();
        }
        try {
            synchronized (this) {
                long now = System.nanoTime();
                if (!closed && now - lookedAt >= LOOK_NANOS) {
                    lookedAt = now;
                    lookAround(true);
                }
            }
        } finally {
            callbacks.runAll();
        }
        callbacks.awaitOthers();
        return callbacks.count();
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

    /** A callback that hangs keeps the thread, which finds the table closed when it comes back. */
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
