// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.Errno;

/**
 * Closer of unwanted descriptors that one user's processes sent, on one thread, which one of them can keep for ever.
 * The thread exists while there is something to close. While {@value #MOST} or more are left, no further message of the
 * user is taken: by user and not by process, because a process can make another.
 *
 * <p>What remains: a thread that is kept here also keeps the exit of the process waiting, until the file system
 * answers, its program ends, or its connection is aborted. Any thread may call any method.
 */
final class ForeignFdCloser {
    static final int MOST = 8;

    private static final Map<Integer, ForeignFdCloser> BY_USER = new ConcurrentHashMap<>();

    private final int user;
    /** Linked through the objects, so that adding one needs no memory. */
    private ForeignFd first;

    private int left;
    private boolean running;

    private ForeignFdCloser(int user) {
        this.user = user;
    }

    static ForeignFdCloser of(int user) {
        return BY_USER.computeIfAbsent(user, ForeignFdCloser::new);
    }

    /** Refuses to take a message while too much is left. */
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

    /** Closes the descriptor later, on the thread. */
    void add(ForeignFd unwanted) {
        synchronized (this) {
            unwanted.next = first;
            first = unwanted;
            left++;
        }
        start();
    }

    /** A thread that cannot be started now is started with the next descriptor or message. */
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
            // The process may have no more threads for the moment.
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
            running = false; // at once: what is added from now on starts another thread
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
