// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Predicate;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * Waits for processes that want a descriptor. The socket's file is for its owner alone (mode 0600) from the moment it
 * exists, and who connects is asked about before anything is sent: the mode keeps others out, root excepted, the
 * question everybody.
 *
 * <p>One thread accepts; any thread may close, which ends an accept that waits.
 */
public final class FdListener implements AutoCloseable {
    private static final int OWNER_ONLY = 0600;
    private static final int BACKLOG = 8;
    /** A native wait does not end with the thread's interrupt, so it is made in pieces. */
    private static final long SLICE_MILLIS = 250;

    private final Syscalls syscalls;
    private final SocketCalls sockets;
    private final GuardedSocket socket;
    private final Path path;
    /** Tells the file from one that somebody else made at the same path since. */
    private final Object inode;

    private FdListener(Syscalls syscalls, SocketCalls sockets, Fd socket, Path path) {
        this.syscalls = syscalls;
        this.sockets = sockets;
        this.socket = new GuardedSocket(sockets, socket);
        this.path = path;
        this.inode = inode(path);
    }

    /**
     * Listens on a new socket. A socket file that a dead process left behind is replaced, any other file is not. Two
     * who replace the same one at the same moment can take it from each other: give each share a path of its own.
     *
     * @param path at most 107 bytes
     * @return closes to stop listening and to remove the file
     * @throws HeapException {@link Errno#EADDRINUSE} when somebody listens there already, or a file is in the way
     */
    public static FdListener bind(Path path) {
        return bind(Syscalls.linux(), SocketCalls.linux(), path);
    }

    static FdListener bind(Syscalls syscalls, SocketCalls sockets, Path path) {
        Fd socket = FdSocket.open(syscalls, sockets);
        boolean bound = false;
        try {
            // On Linux the file of a socket takes the socket's own mode, so that there is no moment at which it is open
            // to others.
            FdSocket.require("fchmod", sockets.fchmod(socket.fd(), OWNER_ONLY), "");
            int result = sockets.bind(socket.fd(), path.toString());
            if (result == -Errno.EADDRINUSE.number() && isAbandoned(syscalls, sockets, path)) {
                delete(path);
                result = sockets.bind(socket.fd(), path.toString());
            }
            FdSocket.require("bind", result, " to " + path);
            bound = true;
            FdSocket.require("listen", sockets.listen(socket.fd(), BACKLOG), " on " + path);
            return new FdListener(syscalls, sockets, socket, path);
        } catch (RuntimeException e) {
            socket.close();
            if (bound) {
                delete(path);
            }
            throw e;
        }
    }

    /**
     * Waits for a process that may have what is offered. One that may not is disconnected, and the wait goes on.
     *
     * @param timeout for the wait, and for every call on the connection
     * @param allowed says who may
     * @return a connection, which the caller closes
     * @throws HeapException {@link Errno#ETIMEDOUT} when nobody came who may, {@link Errno#EINTR} when the thread was
     *     interrupted, {@link Errno#EINVAL} when the listener was closed meanwhile
     * @throws IllegalStateException when the listener was closed before
     */
    public FdSocket accept(Duration timeout, Predicate<Peer> allowed) {
        long deadline = System.nanoTime() + timeout.toNanos();
        Peer refused = null;
        for (long left = timeout.toNanos(); left > 0; left = deadline - System.nanoTime()) {
            if (Thread.currentThread().isInterrupted()) {
                throw new HeapException(Errno.EINTR, "", "the wait for a process at " + path + " was interrupted");
            }
            long millis = Math.clamp(Duration.ofNanos(left).toMillis(), 1, SLICE_MILLIS);
            FdSocket.require("setsockopt", socket.call(fd -> sockets.timeout(fd, millis)), "");
            int connection = (int) socket.call(sockets::accept);
            if (connection == -Errno.EAGAIN.number() || connection == -Errno.EINTR.number()) {
                continue;
            }
            FdSocket peer =
                    new FdSocket(syscalls, sockets, new Fd(syscalls, FdSocket.require("accept", connection, "")));
            boolean accepted = false;
            try {
                peer.timeout(timeout);
                Peer who = peer.peer();
                accepted = allowed.test(who);
                if (accepted) {
                    return peer;
                }
                refused = who;
            } finally {
                if (!accepted) {
                    peer.close();
                }
            }
        }
        throw new HeapException(
                Errno.ETIMEDOUT,
                "",
                "nobody came to " + path + " within " + timeout.toSeconds() + " s"
                        + (refused == null ? "" : " who may have it: refused " + refused));
    }

    /** {@return the socket's file} */
    public Path path() {
        return path;
    }

    /** Stops listening, ends an accept that waits, and removes the file. Closing twice does nothing. */
    @Override
    public void close() {
        if (socket.closeOnce() && inode.equals(inode(path))) {
            delete(path);
        }
    }

    private static boolean isAbandoned(Syscalls syscalls, SocketCalls sockets, Path path) {
        try {
            boolean isSocket = (boolean) Files.readAttributes(path, "isOther", LinkOption.NOFOLLOW_LINKS)
                    .get("isOther");
            if (!isSocket) {
                return false;
            }
            try (Fd probe = new Fd(syscalls, FdSocket.require("socket", sockets.probe(), ""))) {
                return sockets.connect(probe.fd(), path.toString()) == -Errno.ECONNREFUSED.number();
            }
        } catch (IOException e) {
            return false;
        }
    }

    private static Object inode(Path path) {
        try {
            return Files.getAttribute(path, "unix:ino", LinkOption.NOFOLLOW_LINKS);
        } catch (IOException e) {
            return "gone";
        }
    }

    private static void delete(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            // Somebody took away the right to; the file is useless without its listener.
        }
    }
}
