// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * All memory of the process that is followed by {@link Peers}, with the one thread that waits. It is closed when the
 * last of its members leaves, and is not used again.
 *
 * <p>System calls that do not wait are made under its lock; callbacks run outside of it.
 */
final class PeerTable {
    private static final QuietLog LOG = new QuietLog(PeerTable.class);

    private static final int NONE = -1;
    /** Between two tries of what the system refused. */
    private static final int RETRY_MILLIS = 50;
    /** How long a close waits for a callback that runs. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(2);
    /** How long an answer serves those who are in want of memory: each asks a file for each dma-buf. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    /** How long these wait for callbacks that others run, which are short. */
    private static final long TELL_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /** The one of all who use the running kernel; guarded by the class. */
    private static PeerTable shared;

    private final Syscalls syscalls;
    private final PeerCalls calls;

    // All guarded by this.
    private final Map<Peers, Set<PeerWatch>> members = new IdentityHashMap<>();
    private final Inotify inotify;
    private final SecretLocks secrets;
    private final Map<Long, FollowedFile.DmaBuf> dmaBufs = new HashMap<>();
    private final MemorySegment counter = Arena.ofAuto().allocate(8, 8);
    private int awaitedMemfds;
    private int wake = NONE;
    private Thread thread;
    private boolean closed;
    private long lookedAt = System.nanoTime() - LOOK_NANOS;
    /**
     * Watches whose memory has gone and whose callbacks have not begun, linked through {@link PeerWatch#nextDue}: no
     * step that can fail stands between an end and its callback.
     */
    private PeerWatch firstDue;

    private PeerWatch lastDue;
    /** Threads that run callbacks now. */
    private int telling;

    /** How many callbacks have run. Written under the lock. */
    private volatile long told;

    PeerTable(Syscalls syscalls, PeerCalls calls) {
        this.syscalls = syscalls;
        this.calls = calls;
        this.inotify = new Inotify(syscalls, calls);
        this.secrets = new SecretLocks(calls);
    }

    /** {@return the table of this process, with one member more} */
    static synchronized PeerTable joinShared(Peers member) {
        if (shared == null) {
            shared = new PeerTable(Syscalls.linux(), PeerCalls.linux());
        }
        shared.join(member);
        return shared;
    }

    synchronized void join(Peers member) {
        members.put(member, new HashSet<>());
    }

    /** Drops all that a member waits for. The last one closes the table. */
    void leave(Peers member) {
        boolean last;
        synchronized (PeerTable.class) { // nobody joins a table that closes
            synchronized (this) {
                for (PeerWatch watch : List.copyOf(members.get(member))) {
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

    synchronized PeerWatch watch(Peers owner, String heap, long size, int fd) {
        Set<PeerWatch> watches = members.get(owner);
        if (watches == null) {
            throw new IllegalStateException("closed: nobody waits for peers any more");
        }
        if (wake == NONE) { // here, and not when somebody waits: then a refusal would come too late
            wake = require(heap, size, "eventfd", calls.eventfd());
        }
        long kind = syscalls.fileSystem(fd);
        if (kind < 0) {
            throw Refusal.of(heap, size, "fstatfs", (int) kind);
        }
        FollowedFile file;
        if (kind == ForeignMemory.DMA_BUF_MAGIC) {
            file = dmaBuf(heap, size, fd);
        } else if (kind == ForeignMemory.SECRET_MAGIC) {
            file = secrets.add(heap, size, fd);
        } else if (isMemfd(heap, size, kind, fd)) {
            file = inotify.add(heap, size, fd);
        } else {
            throw new HeapException(
                    Errno.ENOTSUP,
                    heap,
                    "heap '" + heap + "': a buffer of " + Bytes.text(size) + " is neither memfd nor dma-buf: nothing"
                            + " would tell when those who got its descriptor have let go of it");
        }
        boolean added = false;
        try {
            PeerWatch watch = new PeerWatch(this, owner, file);
            watches.add(watch);
            file.hold(fd);
            file.watches.add(watch);
            added = true;
            return watch;
        } finally {
            if (!added) {
                watches.removeIf(watch -> !watch.file.watches.contains(watch));
                unfollowUnwatched(file);
            }
        }
    }

    /**
     * A device's node is on a file system of the same kind, but only memory has seals. A file of that file system has a
     * name, and the kernel reports its end when the name is removed and not when the last holder has gone.
     */
    private boolean isMemfd(String heap, long size, long kind, int fd) {
        return (kind == ForeignMemory.TMPFS_MAGIC || kind == ForeignMemory.HUGETLBFS_MAGIC)
                && syscalls.fcntl(fd, Memfd.F_GET_SEALS, 0) >= 0
                && require(heap, size, "statx", syscalls.links(fd)) == 0;
    }

    /** One descriptor for all who follow the same dma-buf, so that 1 holder is always us. */
    private FollowedFile.DmaBuf dmaBuf(String heap, long size, int fd) {
        long inode = syscalls.inode(fd);
        if (inode < 0) {
            throw Refusal.of(heap, size, "statx", (int) inode);
        }
        FollowedFile.DmaBuf known = dmaBufs.get(inode);
        if (known != null) {
            return known;
        }
        int ours = require(heap, size, "fcntl(F_DUPFD_CLOEXEC)", syscalls.fcntl(fd, Fcntl.F_DUPFD_CLOEXEC, 0));
        FollowedFile.DmaBuf file = new FollowedFile.DmaBuf(calls, inode, new Fd(syscalls, ours));
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
        dmaBufs.put(inode, file);
        return file;
    }

    private static int require(String heap, long size, String call, int result) {
        if (result < 0) {
            throw Refusal.of(heap, size, call, result);
        }
        return result;
    }

    void whenGone(PeerWatch watch, Runnable callback) {
        boolean mine;
        synchronized (this) {
            if (watch.callback != null) {
                throw new IllegalStateException("the end of the owner's uses was told before");
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
            telling++;
        }
        try {
            if (mine) {
                run(watch);
            }
        } finally {
            runDue();
        }
    }

    /** Begins to wait for the end of a file, and looks whether it has come. From here on the wait goes on. */
    private void begin(FollowedFile followed) {
        if (followed instanceof FollowedFile.Memfd) {
            awaitedMemfds++;
        }
        long now = System.nanoTime();
        try {
            switch (followed) {
                case FollowedFile.Memfd _ -> lookAtMemfds();
                case FollowedFile.DmaBuf file -> {
                    file.pace.from(now);
                    lookAt(file);
                }
                case FollowedFile.Secret _ -> {
                    secrets.pace.from(now);
                    lookAtSecrets();
                }
            }
        } catch (RuntimeException | Error e) {
            LOG.failure(Level.ERROR, "asking after peers failed; the thread that waits for them asks again", e);
        }
    }

    synchronized void drop(PeerWatch watch) {
        if (watch.dropped) {
            return;
        }
        watch.dropped = true;
        if (watch.gone) {
            return;
        }
        members.get(watch.owner).remove(watch);
        FollowedFile file = watch.file;
        file.watches.remove(watch);
        if (file instanceof FollowedFile.Memfd && watch.callback != null) {
            awaitedMemfds--;
        }
        unfollowUnwatched(file);
    }

    private void unfollowUnwatched(FollowedFile followed) {
        if (followed.watches.isEmpty()) {
            followed.letGo();
            switch (followed) {
                case FollowedFile.Memfd file -> inotify.remove(file);
                case FollowedFile.DmaBuf file -> forget(file);
                case FollowedFile.Secret file -> secrets.remove(file);
            }
        }
    }

    private void lookAtMemfds() {
        inotify.forEachGone(file -> {
            for (int i = 0; i < file.watches.size(); i++) {
                if (file.watches.get(i).callback != null) {
                    awaitedMemfds--;
                }
            }
            end(file);
        });
    }

    private void lookAtSecrets() {
        secrets.forEachGone(this::end);
    }

    private void lookAt(FollowedFile.DmaBuf file) {
        if (file.holders() == 1) {
            forget(file);
            end(file);
        }
    }

    private void forget(FollowedFile.DmaBuf file) {
        dmaBufs.remove(file.inode);
        file.close();
    }

    /** Makes the callbacks due of all who wait for a file that has gone. Allocates nothing, and so does not fail. */
    private void end(FollowedFile file) {
        for (int i = 0; i < file.watches.size(); i++) {
            PeerWatch watch = file.watches.get(i);
            watch.gone = true;
            members.get(watch.owner).remove(watch);
            if (watch.callback != null) {
                watch.due = true;
                if (firstDue == null) {
                    firstDue = watch;
                } else {
                    lastDue.nextDue = watch;
                }
                lastDue = watch;
            }
        }
        file.watches.clear();
        file.letGo();
    }

    /** Runs callbacks that are due, outside of the lock. The caller has counted itself among the threads that do. */
    private void runDue() {
        try {
            for (PeerWatch watch = nextDue(); watch != null; watch = nextDue()) {
                run(watch);
            }
        } finally {
            synchronized (this) {
                telling--;
                notifyAll();
            }
        }
    }

    private synchronized PeerWatch nextDue() {
        while (firstDue != null) {
            PeerWatch watch = firstDue;
            firstDue = watch.nextDue;
            watch.nextDue = null;
            if (watch.due && !watch.dropped) {
                watch.due = false;
                return watch;
            }
        }
        return null;
    }

    private void run(PeerWatch watch) {
        try {
            watch.callback.run();
        } catch (Throwable e) { // not this thread's fault, and other callbacks wait
            LOG.failure(Level.ERROR, "what was to be done when the last peer has gone failed", e);
        } finally {
            synchronized (this) {
                told++;
            }
        }
    }

    private void wakeThread() {
        if (thread == null) {
            try {
                Thread made = DaemonLoop.thread(
                        "dmaheap-peers",
                        "waiting for peers failed",
                        TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS),
                        this::follow);
                made.start();
                thread = made;
            } catch (RuntimeException | Error e) { // of threads there are no more; what waits goes on waiting
                LOG.failure(Level.ERROR, "no thread to wait for peers; tried again with the next buffer", e);
                return;
            }
        }
        calls.signal(wake);
    }

    /** {@return whether there will be something to wait for again} */
    private boolean follow() {
        if (!waitForNews()) {
            return false;
        }
        synchronized (this) {
            if (closed) {
                return false;
            }
            telling++;
        }
        try {
            synchronized (this) {
                calls.read(wake, counter);
                lookAround(false);
            }
        } finally {
            runDue();
        }
        return true;
    }

    /** {@return false when there is nothing to wait for any more} */
    private boolean waitForNews() {
        int asked;
        int events = NONE;
        long millis = NONE;
        synchronized (this) {
            if (closed) {
                return false;
            }
            asked = wake;
            if (firstDue != null) { // a thread that ran callbacks has failed
                millis = 0;
            }
            if (awaitedMemfds > 0 && inotify.doubtful()) {
                millis = sooner(millis, TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS));
            } else if (awaitedMemfds > 0) {
                events = inotify.fd();
            }
            long now = System.nanoTime();
            for (FollowedFile.DmaBuf file : dmaBufs.values()) {
                if (file.awaited()) {
                    millis = sooner(millis, file.pace.dueIn(now));
                }
            }
            if (secrets.awaited()) {
                millis = sooner(millis, secrets.pace.dueIn(now));
            }
        }
        int result = calls.await(asked, events, (int) millis);
        if (result < 0 && result != -Errno.EINTR.number()) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS));
        }
        return true;
    }

    private static long sooner(long millis, long dueInNanos) {
        long due = Math.max(0, TimeUnit.NANOSECONDS.toMillis(dueInNanos) + 1);
        return millis == NONE ? due : Math.min(millis, due);
    }

    long told() {
        return told;
    }

    /** {@return how many callbacks have run, after all that are due now} */
    long look() {
        synchronized (this) {
            telling++;
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
            runDue();
        }
        awaitOthers();
        return told;
    }

    /** Waits until nobody runs callbacks, or for as long as that should take. */
    private synchronized void awaitOthers() {
        long deadline = System.nanoTime() + TELL_NANOS;
        try {
            long left;
            while (telling > 0 && (left = deadline - System.nanoTime()) > 0) {
                wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void lookAround(boolean atAll) {
        if (awaitedMemfds > 0) {
            lookAtMemfds();
        }
        long now = System.nanoTime();
        for (FollowedFile.DmaBuf file : List.copyOf(dmaBufs.values())) {
            if (file.awaited() && (file.pace.isDue(now) || atAll)) {
                lookAt(file);
            }
        }
        if (secrets.awaited() && (secrets.pace.isDue(now) || atAll)) {
            lookAtSecrets();
        }
    }

    private void close() {
        Thread waiting;
        synchronized (this) {
            closed = true;
            waiting = thread;
            if (waiting != null) {
                calls.signal(wake);
            }
        }
        if (waiting != null && waiting != Thread.currentThread()) {
            join(waiting);
        }
        synchronized (this) {
            inotify.close();
            if (wake != NONE) {
                syscalls.close(wake);
                wake = NONE;
            }
        }
    }

    /** A callback that hangs keeps the thread, which uses nothing of this table when it comes back. */
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
