// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
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
    private static final System.Logger LOG = System.getLogger(PeerTable.class.getName());

    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int F_GET_SEALS = 1034;
    private static final long SECRET_MAGIC = 0x5345434d;
    private static final int NONE = -1;
    /** How often that is tried again which the system refused. */
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
    /** Who runs callbacks now. */
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
        if (kind == AdoptedMemory.DMA_BUF_MAGIC) {
            file = dmaBuf(heap, size, fd);
        } else if (kind == SECRET_MAGIC) {
            file = secrets.add(heap, size, fd);
        } else if (isMemfd(kind, fd)) {
            file = inotify.add(heap, size, fd);
        } else {
            throw new HeapException(
                    Errno.ENOTSUP,
                    heap,
                    "heap '" + heap + "': a buffer of " + Bytes.text(size) + " is neither memfd nor dma-buf: nothing"
                            + " would tell when those who got its descriptor have let go of it");
        }
        PeerWatch watch = new PeerWatch(this, owner, file);
        file.watches.add(watch);
        watches.add(watch);
        file.hold(fd);
        return watch;
    }

    /** A device's node is on a file system of the same kind, and is there for ever; but only memory has seals. */
    private boolean isMemfd(long kind, int fd) {
        return (kind == AdoptedMemory.TMPFS_MAGIC || kind == AdoptedMemory.HUGETLBFS_MAGIC)
                && syscalls.fcntl(fd, F_GET_SEALS, 0) >= 0;
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
        int ours = require(heap, size, "fcntl(F_DUPFD_CLOEXEC)", syscalls.fcntl(fd, F_DUPFD_CLOEXEC, 0));
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
        List<PeerWatch> ready = new ArrayList<>(1);
        synchronized (this) {
            if (watch.callback != null) {
                throw new IllegalStateException("the end of the owner's uses was told before");
            }
            watch.callback = callback;
            if (watch.gone) {
                ready.add(watch);
            } else if (!watch.dropped) {
                switch (watch.file) {
                    case FollowedFile.Memfd _ -> {
                        awaitedMemfds++;
                        lookAtMemfds(ready);
                    }
                    case FollowedFile.DmaBuf file -> {
                        file.pace.from(System.nanoTime());
                        lookAt(file, ready);
                    }
                    case FollowedFile.Secret _ -> {
                        secrets.pace.from(System.nanoTime());
                        lookAtSecrets(ready);
                    }
                }
                if (!watch.gone) {
                    wakeThread();
                }
            }
            telling++;
        }
        run(ready);
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
        if (file.watches.isEmpty()) {
            file.letGo();
        }
        switch (file) {
            case FollowedFile.Memfd memfd -> {
                if (watch.callback != null) {
                    awaitedMemfds--;
                }
                if (file.watches.isEmpty()) {
                    inotify.remove(memfd);
                }
            }
            case FollowedFile.DmaBuf dmaBuf -> {
                if (file.watches.isEmpty()) {
                    forget(dmaBuf);
                }
            }
            case FollowedFile.Secret secret -> {
                if (file.watches.isEmpty()) {
                    secrets.remove(secret);
                }
            }
        }
    }

    private void lookAtMemfds(List<PeerWatch> ready) {
        for (FollowedFile.Memfd file : inotify.gone()) {
            for (PeerWatch watch : file.watches) {
                if (watch.callback != null) {
                    awaitedMemfds--;
                }
            }
            tell(file, ready);
        }
    }

    private void lookAtSecrets(List<PeerWatch> ready) {
        for (FollowedFile.Secret file : secrets.gone()) {
            tell(file, ready);
        }
    }

    private void lookAt(FollowedFile.DmaBuf file, List<PeerWatch> ready) {
        if (file.holders() == 1) {
            forget(file);
            tell(file, ready);
        }
    }

    private void forget(FollowedFile.DmaBuf file) {
        dmaBufs.remove(file.inode);
        file.close();
    }

    private void tell(FollowedFile file, List<PeerWatch> ready) {
        for (PeerWatch watch : file.watches) {
            watch.gone = true;
            members.get(watch.owner).remove(watch);
            if (watch.callback != null) {
                ready.add(watch);
            }
        }
        file.watches.clear();
        file.letGo();
    }

    /** Runs callbacks, outside of the lock. The caller has counted itself among those who do. */
    private void run(List<PeerWatch> ready) {
        try {
            ready.forEach(this::run);
        } finally {
            synchronized (this) {
                told += ready.size();
                telling--;
                notifyAll();
            }
        }
    }

    private void run(PeerWatch watch) {
        synchronized (this) {
            if (watch.dropped) {
                return;
            }
        }
        try {
            watch.callback.run();
        } catch (Throwable e) { // whoever found out is not to blame, and others wait behind it
            LOG.log(Level.ERROR, "what was to be done when the last peer has gone failed", e);
        }
    }

    private void wakeThread() {
        if (thread == null) {
            // Inherits nothing: whoever waits first may do so on a vendor's class loader.
            Thread made = Thread.ofPlatform()
                    .name("dmaheap-peers")
                    .daemon()
                    .inheritInheritableThreadLocals(false)
                    .unstarted(this::follow);
            try {
                made.start();
            } catch (OutOfMemoryError e) { // of threads; what waits goes on waiting
                LOG.log(Level.ERROR, "no thread to wait for peers; tried again with the next buffer", e);
                return;
            }
            thread = made;
        }
        calls.signal(wake);
    }

    private void follow() {
        while (true) {
            try {
                if (!waitForNews()) {
                    return;
                }
                List<PeerWatch> ready = new ArrayList<>();
                synchronized (this) {
                    if (closed) {
                        return;
                    }
                    calls.read(wake, counter);
                    lookAround(ready, false);
                    telling++;
                }
                run(ready);
            } catch (Throwable e) { // nobody else would wait
                LOG.log(Level.ERROR, "waiting for peers failed; it goes on", e);
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS));
            }
        }
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
            if (awaitedMemfds > 0 && inotify.doubtful()) {
                millis = RETRY_MILLIS;
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
        List<PeerWatch> ready = new ArrayList<>();
        synchronized (this) {
            long now = System.nanoTime();
            if (!closed && now - lookedAt >= LOOK_NANOS) {
                lookedAt = now;
                lookAround(ready, true);
            }
            telling++;
        }
        run(ready);
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

    private void lookAround(List<PeerWatch> ready, boolean atAll) {
        if (awaitedMemfds > 0) {
            lookAtMemfds(ready);
        }
        long now = System.nanoTime();
        for (FollowedFile.DmaBuf file : List.copyOf(dmaBufs.values())) {
            if (file.awaited() && (file.pace.isDue(now) || atAll)) {
                lookAt(file, ready);
            }
        }
        if (secrets.awaited() && (secrets.pace.isDue(now) || atAll)) {
            lookAtSecrets(ready);
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
