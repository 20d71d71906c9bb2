// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.Errno;

/**
 * Closer of unwanted descriptors from the processes of one user, on one thread, which a descriptor can block forever.
 * The thread exists while there are descriptors to close. While {@value #MOST} or more are left, no further message of
 * the user is received. The limit applies to a user and not to a process, because a process can start another one.
 *
 * <p>Limitation: a blocked thread also delays the exit of this process, until the file system answers, its program
 * ends, or its connection is aborted. Any thread may call any method.
 */
final class ForeignFdCloser {
    static final int MOST = 8;

    private static final Map<Integer, ForeignFdCloser> BY_USER = new ConcurrentHashMap<>();

    private final int user;
    /** First of the objects, which are linked so that adding one needs no memory. */
    private ForeignFd first;

    private int left;
    private boolean running;

    private ForeignFdCloser(int user) {
        this.user = user;
    }

    static ForeignFdCloser of(int user) {
        return BY_USER.computeIfAbsent(user, ForeignFdCloser::new);
    }

    /** Throws while too many descriptors are left. */
    void requireRoom() {
        start();
        int now = left();
        if (now >= MOST) {
            throw new FdSocketException(
                    Errno.EBUSY,
                    now + " descriptors that processes of user " + user + " sent are still being closed, because their"
                            + " file system does not answer; messages of this user are refused until it does: end the"
                            + " program that serves it, or abort its connection (/sys/fs/fuse/connections)");
        }
    }

    synchronized int left() {
        return left;
    }

    /** Queues a descriptor for the thread. */
    void add(ForeignFd unwanted) {
        synchronized (this) {
            unwanted.next = first;
            first = unwanted;
            left++;
        }
        start();
    }

    /** Starts the thread. If that fails, the next descriptor or message starts it. */
    private void start() {
        synchronized (this) {
            if (running || first == null) {
                return;
            }
            running = true;
        }
        boolean started = false;
        try {
            Thread.ofPlatform()
                    .name("dmaheap-close-" + user)
                    .daemon()
                    .inheritInheritableThreadLocals(false)
                    .start(this::run);
            started = true;
        } catch (OutOfMemoryError | StackOverflowError e) {
            // The process may be at its limit of threads for the moment.
        } finally {
            if (!started) {
                stopped();
            }
        }
    }

    private void run() {
        boolean done = false;
        try {
            for (ForeignFd unwanted = next(); unwanted != null; unwanted = next()) {
                try {
                    unwanted.closeNow();
                } finally {
                    closed();
                }
            }
            done = true;
        } finally {
            if (!done) {
                stopped();
            }
        }
    }

    private synchronized ForeignFd next() {
        ForeignFd unwanted = first;
        if (unwanted == null) {
            running = false; // at once, so that a later add starts another thread
        } else {
            first = unwanted.next;
            unwanted.next = null;
        }
        return unwanted;
    }

    private synchronized void closed() {
        left--;
    }

    private synchronized void stopped() {
        running = false;
    }
}
