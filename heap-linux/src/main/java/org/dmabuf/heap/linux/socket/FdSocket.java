// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.IntToLongFunction;
import java.util.function.ToLongFunction;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Socket that sends descriptors to another process and receives them, by SCM_RIGHTS over a Unix socket of packets
 * (SOCK_SEQPACKET). A message is one line of text with one descriptor. Python's {@code socket.send_fds} and
 * {@code recv_fds} are compatible.
 *
 * <p>The peer is not trusted, and cannot leak descriptors into this process. Several descriptors, no descriptor,
 * truncated control data or an invalid text cause {@link Errno#EPROTO}, and the received descriptors are closed. A
 * hanging peer causes {@link Errno#ETIMEDOUT} after the socket's timeout.
 *
 * <p>A received file can be on a file system that the sender serves (FUSE), and closing it can then block without
 * limit. Descriptors of anything but memory are therefore closed on another thread, so that neither {@link #receive}
 * nor {@link FdMessage#close} blocks. Such a descriptor can delay the exit of this process until the file system
 * answers, its program ends, or its connection is aborted.
 *
 * <p>One thread at a time sends or receives. Any thread may close, which ends a waiting call. Memory for messages is
 * allocated once, when the socket is made.
 */
public final class FdSocket implements Connection {
    /** Longest text of a message in bytes of UTF-8. */
    public static final int TEXT_BYTES = 256;

    /** An interrupt of the thread does not end a native wait, so an interruptible wait is divided into pieces. */
    private static final long PIECE_MILLIS = 250;

    private final Syscalls syscalls;
    private final SocketCalls sockets;
    private final GuardedSocket socket;
    private volatile long timeoutMillis = 30_000;
    /** Whether the kernel's timeout of the socket differs from {@link #timeoutMillis}. */
    private boolean shortened;

    private final Peer peer;
    private final MessageHeader header = new MessageHeader();
    private final MemorySegment space = Arena.ofAuto().allocate(TEXT_BYTES);

    /** Takes ownership of a connected socket. */
    FdSocket(Syscalls syscalls, SocketCalls sockets, OwnedFd socket) {
        this.syscalls = syscalls;
        this.sockets = sockets;
        this.socket = new GuardedSocket(sockets, socket);
        peer = new Peer(sockets, this.socket);
    }

    /** Makes an object for an accepted connection, and closes the connection if that fails. */
    static FdSocket accepted(Syscalls syscalls, SocketCalls sockets, int connection, Duration timeout) {
        boolean accepted = false;
        try {
            FdSocket made = new FdSocket(syscalls, sockets, OwnedFd.of(connection, syscalls::close));
            made.timeout(timeout);
            accepted = true;
            return made;
        } finally {
            if (!accepted) {
                syscalls.close(connection);
            }
        }
    }

    /**
     * Connects to a listening process.
     *
     * @param path of its socket, at most 107 bytes
     * @param timeout timeout of this and every later call
     * @return a connected socket, which the caller closes
     * @throws FdSocketException {@link Errno#ECONNREFUSED} when no process listens there, or any other error of the
     *     kernel
     */
    public static FdSocket connect(Path path, Duration timeout) {
        return connect(Syscalls.linux(), SocketCalls.linux(), path, timeout);
    }

    static FdSocket connect(Syscalls syscalls, SocketCalls sockets, Path path, Duration timeout) {
        OwnedFd socket = connected(syscalls, sockets, path, timeout);
        FdSocket made = null;
        try {
            made = new FdSocket(syscalls, sockets, socket);
            made.timeoutMillis = millis(timeout);
            return made;
        } finally {
            if (made == null) {
                socket.close();
            }
        }
    }

    /** {@return a connected socket, whose calls have the timeout} */
    static OwnedFd connected(Syscalls syscalls, SocketCalls sockets, Path path, Duration timeout) {
        OwnedFd socket = open(syscalls, sockets);
        try {
            require("setsockopt", sockets.timeout(socket.fd(), millis(timeout)), "");
            int connected;
            do {
                connected = sockets.connect(socket.fd(), path.toString());
            } while (connected == -Errno.EINTR.number());
            require("connect", connected, " to " + Printable.of(path.toString()));
            return socket;
        } catch (RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    static OwnedFd open(Syscalls syscalls, SocketCalls sockets) {
        return OwnedFd.of(require("socket", sockets.socket(), ""), syscalls::close);
    }

    /**
     * Returns the credentials of the process at the other end, from the kernel.
     *
     * @return the process that connected or listened
     * @throws FdSocketException when the kernel does not report them
     */
    @Override
    public PeerCredentials peer() {
        return peer.credentials();
    }

    /**
     * Sets the timeout of every later call.
     *
     * @param timeout at least a millisecond
     */
    void timeout(Duration timeout) {
        timeoutMillis = millis(timeout);
        setTimeout(timeoutMillis);
        shortened = false;
    }

    private void setTimeout(long millis) {
        require("setsockopt", socket.call(fd -> sockets.timeout(fd, millis)), "");
    }

    /** Converts a timeout to at least 1 ms, because 0 means no limit to the kernel. */
    static long millis(Duration timeout) {
        return Math.max(1, timeout.toMillis());
    }

    /**
     * Repeats a call that a signal interrupted, with the rest of the timeout. After a successful call nothing here may
     * fail, because a received message would be lost.
     */
    private long uninterrupted(IntToLongFunction call) {
        if (shortened) {
            setTimeout(timeoutMillis);
            shortened = false;
        }
        long result = socket.call(call);
        long deadline = result == -Errno.EINTR.number() ? System.nanoTime() + timeoutMillis * 1_000_000 : 0;
        while (result == -Errno.EINTR.number()) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return -Errno.EAGAIN.number();
            }
            shortened = true;
            setTimeout(left);
            result = socket.call(call);
        }
        return result;
    }

    /**
     * Sends a descriptor. The receiver gets a duplicate. If the heap of the memory restricts the users of peers ({@link
     * org.dmabuf.heap.HeapProperties#PEERS}), the peer's user is checked before anything is sent.
     *
     * @param descriptor a descriptor, which the caller keeps; no other thread may close it during the call
     * @param text at most {@value #TEXT_BYTES} bytes of UTF-8, at least one
     * @throws FdSocketException {@link Errno#EACCES} when the heap does not permit the peer's user, {@link Errno#EPIPE}
     *     or {@link Errno#ECONNRESET} when the peer has closed the connection, {@link Errno#ETIMEDOUT} when it does not
     *     read
     */
    public void send(OwnedFd descriptor, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length > TEXT_BYTES) {
            throw new FdSocketException(
                    Errno.EINVAL, "invalid text of " + bytes.length + " bytes: expected 1 to " + TEXT_BYTES);
        }
        peer.requirePermitted(descriptor);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, space, 0, bytes.length);
        header.withDescriptor(space.asSlice(0, bytes.length), descriptor.fd());
        require("sendmsg", uninterrupted(fd -> sockets.send(fd, header.msghdr())), "");
    }

    /**
     * Receives one message.
     *
     * @return the message, which the caller closes
     * @throws FdSocketException {@link Errno#ETIMEDOUT} when no message came, {@link Errno#ENOTCONN} when the peer has
     *     closed the connection, {@link Errno#EPROTO} for anything but one text with one descriptor,
     *     {@link Errno#EBUSY} while {@value ForeignFdCloser#MOST} descriptors from the peer's user cannot be closed;
     *     the message then stays in the kernel
     */
    public FdMessage receive() {
        return receive(this::uninterrupted);
    }

    /**
     * Receives one message, as {@link #receive()} does. An interrupt of the thread ends the wait.
     *
     * @param timeout timeout of this call only, at least a millisecond
     * @return the message, which the caller closes
     * @throws FdSocketException also {@link Errno#EINTR} when the thread was interrupted; it stays interrupted
     */
    public FdMessage receive(Duration timeout) {
        long deadline = System.nanoTime() + timeout.toNanos();
        return receive(call -> inPieces(deadline, call));
    }

    private long inPieces(long deadline, IntToLongFunction call) {
        for (long left = deadline - System.nanoTime(); left > 0; left = deadline - System.nanoTime()) {
            if (Thread.currentThread().isInterrupted()) {
                throw new FdSocketException(Errno.EINTR, "the wait for a message was interrupted");
            }
            shortened = true;
            setTimeout(Math.clamp(Duration.ofNanos(left).toMillis(), 1, PIECE_MILLIS));
            long result = socket.call(call);
            if (result != -Errno.EAGAIN.number() && result != -Errno.EINTR.number()) {
                return result;
            }
        }
        return -Errno.EAGAIN.number();
    }

    /** @param waiting repeats the given call until a message has come */
    private FdMessage receive(ToLongFunction<IntToLongFunction> waiting) {
        ForeignFdCloser disposal = ForeignFdCloser.of(peer.user());
        disposal.requireRoom();
        ForeignFd[] room = new ForeignFd[MessageHeader.ROOM];
        Arrays.setAll(room, _ -> new ForeignFd(syscalls, disposal));
        header.forDescriptors(space);
        long received = waiting.applyAsLong(fd -> sockets.receive(fd, header.msghdr()));
        require("recvmsg", received, "");
        int descriptors = header.take(room);
        boolean accepted = false;
        try {
            if (received == 0 && descriptors == 0) {
                throw new FdSocketException(Errno.ENOTCONN, "the peer disconnected without sending a descriptor");
            }
            if (header.lostDescriptors() && descriptors < MessageHeader.ROOM) {
                throw refused("recvmsg", -Errno.EMFILE.number()); // this process had no free number
            }
            if (descriptors != 1 || received == 0 || header.lostDescriptors() || header.isCut()) {
                throw new FdSocketException(
                        Errno.EPROTO,
                        "the peer sent "
                                + (header.lostDescriptors() ? "more than " : "")
                                + descriptors + " descriptors with " + received
                                + (header.isCut() ? " bytes and more" : " bytes")
                                + ": expected one descriptor with 1 to " + TEXT_BYTES + " bytes; all are closed");
            }
            FdMessage message = new FdMessage(text((int) received), room[0].descriptor());
            accepted = true;
            return message;
        } finally {
            if (!accepted) {
                for (ForeignFd unwanted : room) {
                    unwanted.descriptor().close();
                }
            }
        }
    }

    private String text(int length) {
        byte[] bytes = space.asSlice(0, length).toArray(JAVA_BYTE);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new FdSocketException(Errno.EPROTO, "the peer sent text that is not UTF-8", e);
        }
    }

    /** Closes the connection and ends a waiting call. Closing twice does nothing. */
    @Override
    public void close() {
        socket.close();
    }

    static FdSocketException refused(String call, int result) {
        return new FdSocketException(-result, KernelError.text(call, result));
    }

    static int require(String call, long result, String what) {
        if (result >= 0) {
            return (int) result;
        }
        // A socket returns EAGAIN after its timeout.
        if (result == -Errno.EAGAIN.number()) {
            throw new FdSocketException(Errno.ETIMEDOUT, call + what + ": the peer did not respond in time");
        }
        throw refused(call + what, (int) result);
    }
}
