// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.nio.file.Path;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.function.IntFunction;
import java.util.function.IntSupplier;
import java.util.function.Predicate;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Listener for processes that request a descriptor. Only the owner can access the socket's file (mode 0600), from the
 * moment it exists, unless the listener was made for other users, too. Before anything is sent, the listener also
 * checks the user of each connecting process, as reported by the kernel. The mode does not exclude root, but this check
 * does.
 *
 * <p>One thread accepts; any thread may close, which ends an accept that waits.
 */
public final class FdListener implements AutoCloseable {
    private static final int OWNER_ONLY = 0600;
    private static final int GROUP_TOO = 0660;
    private static final int ALL = 0666;
    private static final int BACKLOG = 8;
    /** An interrupt of the thread does not end a native wait, so a wait is divided into pieces. */
    private static final long PIECE_MILLIS = 250;

    private final Syscalls syscalls;
    private final SocketCalls sockets;
    private final GuardedSocket socket;
    private final SocketFile file;

    private FdListener(Syscalls syscalls, SocketCalls sockets, OwnedFd socket, SocketFile file) {
        this.syscalls = syscalls;
        this.sockets = sockets;
        this.socket = new GuardedSocket(sockets, socket);
        this.file = file;
    }

    /**
     * Listens on a new socket. An existing file at the path is replaced only if it is a socket of this user on which no
     * process listens. A killed process leaves such a file. Any other file stays, and links are not followed. The
     * existing file is renamed first, checked again, and then removed. If another process puts a file at the path at
     * that moment, that file is renamed back, and the call fails. On a file system that cannot rename without replacing
     * (NFS, 9p), the listener replaces no file and does not remove its own.
     *
     * @param path at most {@value SocketFile#PATH_BYTES} bytes, in a folder that exists
     * @return a listener, which the caller closes to stop listening and to remove the file
     * @throws FdSocketException {@link Errno#EADDRINUSE} when another file exists or another process listens,
     *     {@link Errno#ENAMETOOLONG}, {@link Errno#EINVAL} for a path without the name of a file, or any other error of
     *     the kernel
     */
    public static FdListener bind(Path path) {
        return bind(Syscalls.linux(), SocketCalls.linux(), path);
    }

    /**
     * Returns whether a process has a Unix socket of any type at a path. The process does not notice.
     *
     * @param path at most {@value SocketFile#PATH_BYTES} bytes
     * @return false if there is no file, if it is not a socket, or if its process has ended
     * @throws FdSocketException {@link Errno#EACCES} when this user may not connect, or any other error of the kernel
     */
    public static boolean isServed(Path path) {
        Syscalls syscalls = Syscalls.linux();
        SocketCalls sockets = SocketCalls.linux();
        try (OwnedFd probe = OwnedFd.of(FdSocket.require("socket", sockets.datagramSocket(), ""), syscalls::close)) {
            int result = sockets.connect(probe.fd(), path.toString());
            if (result == -Errno.ECONNREFUSED.number() || result == -Errno.ENOENT.number()) {
                return false;
            }
            if (result < 0 && result != -Errno.EPROTOTYPE.number()) { // that error means a socket of another type
                throw FdSocket.refused("connect to " + Printable.of(path.toString()), result);
            }
            return true;
        }
    }

    /**
     * Listens as {@link #bind} does, but also for processes of a group. The socket's file gets this group and mode 0660
     * before any process can connect.
     *
     * @param path at most {@value SocketFile#PATH_BYTES} bytes, in a folder that exists and that the group may enter
     * @param group id of a group of this process's user, or of any group for root
     * @return a listener, which the caller closes to stop listening and to remove the file
     * @throws FdSocketException {@link Errno#EPERM} for a group that this process is not in, else as {@link #bind}
     */
    public static FdListener bindForGroup(Path path, int group) {
        return bindPackets(Syscalls.linux(), SocketCalls.linux(), path, OptionalInt.of(group), GROUP_TOO);
    }

    /**
     * Listens as {@link #bind} does, with mode 0666: any process may connect, and only the predicate of {@link #accept}
     * can refuse it.
     *
     * @param path at most {@value SocketFile#PATH_BYTES} bytes, in a folder that exists and that the others may enter
     * @return a listener, which the caller closes to stop listening and to remove the file
     * @throws FdSocketException as {@link #bind}
     */
    public static FdListener bindForAll(Path path) {
        return bindPackets(Syscalls.linux(), SocketCalls.linux(), path, OptionalInt.empty(), ALL);
    }

    /**
     * Listens as {@link #bind} does, for a stream of bytes (SOCK_STREAM), as container runtimes send it. Only
     * {@link #acceptPackets} serves it: each receipt returns a piece of the stream, and the descriptors that were sent
     * with the first byte of the piece.
     *
     * @param path at most {@value SocketFile#PATH_BYTES} bytes, in a folder that exists
     * @return a listener, which the caller closes to stop listening and to remove the file
     * @throws FdSocketException as {@link #bind}
     */
    public static FdListener bindStream(Path path) {
        SocketCalls sockets = SocketCalls.linux();
        return bind(Syscalls.linux(), sockets, path, OptionalInt.empty(), OWNER_ONLY, sockets::streamSocket);
    }

    static FdListener bind(Syscalls syscalls, SocketCalls sockets, Path path) {
        return bindPackets(syscalls, sockets, path, OptionalInt.empty(), OWNER_ONLY);
    }

    private static FdListener bindPackets(
            Syscalls syscalls, SocketCalls sockets, Path path, OptionalInt group, int mode) {
        return bind(syscalls, sockets, path, group, mode, sockets::socket);
    }

    private static FdListener bind(
            Syscalls syscalls, SocketCalls sockets, Path path, OptionalInt group, int mode, IntSupplier type) {
        SocketFile file = SocketFile.open(syscalls, sockets, path);
        OwnedFd socket = null;
        boolean bound = false;
        FdListener made = null;
        try {
            socket = OwnedFd.of(FdSocket.require("socket", type.getAsInt(), ""), syscalls::close);
            // On Linux the file gets the mode of the socket, so that it is never accessible to others.
            FdSocket.require("fchmod", sockets.fchmod(socket.fd(), OWNER_ONLY), "");
            bound = true; // an exception can follow the kernel's bind
            int result = file.bind(socket);
            bound = result >= 0;
            FdSocket.require("bind", result, " to " + Printable.of(path.toString()));
            if (mode != OWNER_ONLY) {
                file.permit(group, mode);
            }
            FdSocket.require("listen", sockets.listen(socket.fd(), BACKLOG), " on " + Printable.of(path.toString()));
            made = new FdListener(syscalls, sockets, socket, file);
            return made;
        } finally {
            if (made == null) {
                if (socket != null) {
                    socket.close();
                }
                if (bound) {
                    file.remove();
                }
                file.close();
            }
        }
    }

    /**
     * Waits for a permitted process. Any other process is disconnected, and the wait goes on.
     *
     * @param timeout timeout of the wait and of every call on the connection
     * @param allowed returns whether a peer is permitted
     * @return a connection, which the caller closes
     * @throws FdSocketException {@link Errno#ETIMEDOUT} when no permitted process came, {@link Errno#EINTR} when the
     *     thread was interrupted, {@link Errno#EINVAL} when the listener was closed meanwhile
     * @throws IllegalStateException when the listener was closed before
     */
    public FdSocket accept(Duration timeout, Predicate<PeerCredentials> allowed) {
        return accept(timeout, allowed, connection -> FdSocket.accepted(syscalls, sockets, connection, timeout));
    }

    /**
     * Waits for a permitted process, as {@link #accept} does, and returns a socket for packets.
     *
     * @param timeout timeout of the wait
     * @param sending timeout of sending on the connection; receiving has no limit
     * @param allowed returns whether a peer is permitted
     * @return a connection, which the caller closes
     * @throws FdSocketException as {@link #accept}
     * @throws IllegalStateException when the listener was closed before
     */
    public PacketSocket acceptPackets(Duration timeout, Duration sending, Predicate<PeerCredentials> allowed) {
        return accept(timeout, allowed, connection -> PacketSocket.accepted(syscalls, sockets, connection, sending));
    }

    /** @param owning makes an object for a connection, and closes the connection if that fails */
    private <S extends Connection> S accept(
            Duration timeout, Predicate<PeerCredentials> allowed, IntFunction<S> owning) {
        long deadline = System.nanoTime() + timeout.toNanos();
        PeerCredentials refused = null;
        for (long left = timeout.toNanos(); left > 0; left = deadline - System.nanoTime()) {
            if (Thread.currentThread().isInterrupted()) {
                throw new FdSocketException(Errno.EINTR, "the wait for a process at " + file + " was interrupted");
            }
            long millis = Math.clamp(Duration.ofNanos(left).toMillis(), 1, PIECE_MILLIS);
            FdSocket.require("setsockopt", socket.call(fd -> sockets.timeout(fd, millis)), "");
            int connection = (int) socket.call(sockets::accept);
            if (connection == -Errno.EAGAIN.number() || connection == -Errno.EINTR.number()) {
                continue;
            }
            S peer = owning.apply(FdSocket.require("accept4", connection, ""));
            boolean accepted = false;
            try {
                PeerCredentials who = peer.peer();
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
        throw new FdSocketException(
                Errno.ETIMEDOUT,
                "no permitted process connected to " + file + " within " + timeout.toSeconds() + " s"
                        + (refused == null ? "" : "; refused " + refused));
    }

    /** {@return the socket's file} */
    public Path path() {
        return file.path();
    }

    /**
     * Stops listening, ends a waiting accept, and removes the file. Another file that now has its name stays. Closing
     * twice does nothing.
     */
    @Override
    public void close() {
        if (socket.closeOnce()) {
            try {
                file.remove();
            } finally {
                file.close();
            }
        }
    }
}
