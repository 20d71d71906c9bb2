// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.function.IntToLongFunction;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
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
public final class FdSocket implements AutoCloseable {
    /** Longest text of a message in bytes of UTF-8. */
    public static final int TEXT_BYTES = 256;

    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int ERANGE = 34;
    /** Space for the supplementary groups of most processes. */
    private static final long FEW_GROUPS = 64;
    /** NGROUPS_MAX */
    private static final long MOST_GROUPS = 65_536;

    /** An interrupt of the thread does not end a native wait, so an interruptible wait is divided into pieces. */
    private static final long PIECE_MILLIS = 250;

    private static final int MSG_CTRUNC = 0x8;
    private static final int MSG_TRUNC = 0x20;

    // struct msghdr and struct iovec of a 64-bit Linux
    private static final long MSG_IOV = 16;
    private static final long MSG_IOVLEN = 24;
    private static final long MSG_CONTROL = 32;
    private static final long MSG_CONTROLLEN = 40;
    private static final long MSG_FLAGS = 48;
    private static final long IOVEC = 56;
    private static final long IOV_LEN = 8;

    // struct cmsghdr: length, level, type, then descriptors of 4 bytes
    private static final long CMSG_LEVEL = 8;
    private static final long CMSG_TYPE = 12;
    private static final long CMSG_DATA = 16;

    private static final long CONTROL = 72;
    /** Space for four descriptors, although one is expected. The kernel closes further ones and sets MSG_CTRUNC. */
    private static final int ROOM = 4;

    private static final long CONTROL_BYTES = CMSG_DATA + 4 * ROOM;

    private static final long TEXT = CONTROL + CONTROL_BYTES;

    private final Syscalls syscalls;
    private final SocketCalls sockets;
    private final GuardedSocket socket;
    private volatile long timeoutMillis = 30_000;
    /** Whether the kernel's timeout of the socket differs from {@link #timeoutMillis}. */
    private boolean shortened;

    private final MemorySegment block = Arena.ofAuto().allocate(TEXT + TEXT_BYTES, 8);

    /** Takes ownership of a connected socket. */
    FdSocket(Syscalls syscalls, SocketCalls sockets, OwnedFd socket) {
        this.syscalls = syscalls;
        this.sockets = sockets;
        this.socket = new GuardedSocket(sockets, socket);
        block.set(JAVA_LONG, MSG_IOV, block.address() + IOVEC);
        block.set(JAVA_LONG, MSG_IOVLEN, 1);
        block.set(JAVA_LONG, MSG_CONTROL, block.address() + CONTROL);
        block.set(JAVA_LONG, IOVEC, block.address() + TEXT);
    }

    /** Makes an object for a connected socket. Closes the socket if that fails. */
    static FdSocket owning(Syscalls syscalls, SocketCalls sockets, int connected) {
        FdSocket made = null;
        try {
            made = new FdSocket(syscalls, sockets, OwnedFd.of(connected, syscalls::close));
            return made;
        } finally {
            if (made == null) {
                syscalls.close(connected);
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
        OwnedFd socket = open(syscalls, sockets);
        try {
            require("setsockopt", sockets.timeout(socket.fd(), millis(timeout)), "");
            int connected;
            do {
                connected = sockets.connect(socket.fd(), path.toString());
            } while (connected == -Errno.EINTR.number());
            require("connect", connected, " to " + Printable.of(path.toString()));
            FdSocket made = new FdSocket(syscalls, sockets, socket);
            made.timeoutMillis = millis(timeout);
            return made;
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
    public PeerCredentials peer() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ucred = ucred(arena);
            return new PeerCredentials(
                    ucred.get(JAVA_INT, 0), ucred.get(JAVA_INT, 4), ucred.get(JAVA_INT, 8), peerGroups(arena));
        }
    }

    private MemorySegment ucred(Arena arena) {
        MemorySegment ucred = arena.allocate(12, 4);
        require("getsockopt(SO_PEERCRED)", socket.call(fd -> sockets.peer(fd, ucred)), "");
        return ucred;
    }

    /** {@return only the peer's user id, which is read for each message} */
    private int peerUser() {
        try (Arena arena = Arena.ofConfined()) {
            return ucred(arena).get(JAVA_INT, 4);
        }
    }

    private Set<Integer> peerGroups(Arena arena) {
        MemorySegment few = arena.allocate(4 * FEW_GROUPS, 4);
        long bytes = socket.call(fd -> sockets.peerGroups(fd, few));
        if (bytes != -ERANGE) {
            return groups(few, bytes);
        }
        MemorySegment all = arena.allocate(4 * MOST_GROUPS, 4);
        return groups(all, socket.call(fd -> sockets.peerGroups(fd, all)));
    }

    private static Set<Integer> groups(MemorySegment room, long bytes) {
        return bytes <= 0
                ? Set.of()
                : Arrays.stream(room.asSlice(0, bytes).toArray(JAVA_INT))
                        .boxed()
                        .collect(Collectors.toSet());
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
    private static long millis(Duration timeout) {
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
        descriptor.peers().ifPresent(this::requirePermitted);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, block, TEXT, bytes.length);
        block.set(JAVA_LONG, IOVEC + IOV_LEN, bytes.length);
        block.set(JAVA_LONG, MSG_CONTROLLEN, CMSG_DATA + 8); // CMSG_SPACE of one descriptor
        block.set(JAVA_LONG, CONTROL, CMSG_DATA + 4); // CMSG_LEN of one
        block.set(JAVA_INT, CONTROL + CMSG_LEVEL, SOL_SOCKET);
        block.set(JAVA_INT, CONTROL + CMSG_TYPE, SCM_RIGHTS);
        block.set(JAVA_INT, CONTROL + CMSG_DATA, descriptor.fd());
        require("sendmsg", uninterrupted(fd -> sockets.send(fd, block)), "");
    }

    private void requirePermitted(PeerRule rule) {
        PeerCredentials peer = peer();
        if (!rule.permits(peer.uid())) {
            throw new FdSocketException(
                    Errno.EACCES,
                    "heap '" + rule.heap() + "': " + peer + " may not receive a descriptor of its memory; add "
                            + Integer.toUnsignedString(peer.uid()) + " to " + HeapProperties.PEERS
                            + " in the heap's configuration");
        }
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
        ForeignFdCloser disposal = ForeignFdCloser.of(peerUser());
        disposal.requireRoom();
        ForeignFd[] room = new ForeignFd[ROOM];
        Arrays.setAll(room, _ -> new ForeignFd(syscalls, disposal));
        block.set(JAVA_LONG, IOVEC + IOV_LEN, TEXT_BYTES);
        block.set(JAVA_LONG, MSG_CONTROLLEN, CONTROL_BYTES);
        block.set(JAVA_INT, MSG_FLAGS, 0);
        long received = waiting.applyAsLong(fd -> sockets.receive(fd, block));
        require("recvmsg", received, "");
        int descriptors = take(room);
        boolean accepted = false;
        try {
            if (received == 0 && descriptors == 0) {
                throw new FdSocketException(Errno.ENOTCONN, "the peer disconnected without sending a descriptor");
            }
            int flags = block.get(JAVA_INT, MSG_FLAGS);
            if ((flags & MSG_CTRUNC) != 0 && descriptors < ROOM) {
                throw refused("recvmsg", -Errno.EMFILE.number()); // this process had no free number
            }
            if (descriptors != 1 || received == 0 || (flags & (MSG_CTRUNC | MSG_TRUNC)) != 0) {
                throw new FdSocketException(
                        Errno.EPROTO,
                        "the peer sent "
                                + ((flags & MSG_CTRUNC) != 0 ? "more than " : "")
                                + descriptors + " descriptors with " + received
                                + ((flags & MSG_TRUNC) != 0 ? " bytes and more" : " bytes")
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

    /**
     * Takes ownership of all received descriptors at once, even if the rest of the message is invalid.
     *
     * @return number of descriptors
     */
    private int take(ForeignFd[] room) {
        int taken = 0;
        long end = CONTROL + Math.min(block.get(JAVA_LONG, MSG_CONTROLLEN), CONTROL_BYTES);
        for (long at = CONTROL; at + CMSG_DATA <= end; ) {
            long length = block.get(JAVA_LONG, at);
            if (length < CMSG_DATA || length > end - at) {
                break;
            }
            if (block.get(JAVA_INT, at + CMSG_LEVEL) == SOL_SOCKET
                    && block.get(JAVA_INT, at + CMSG_TYPE) == SCM_RIGHTS) {
                for (long data = at + CMSG_DATA; data + 4 <= at + length; data += 4) {
                    room[taken++].descriptor().own(block.get(JAVA_INT, data));
                }
            }
            at += (length + 7) & -8;
        }
        return taken;
    }

    private String text(int length) {
        byte[] bytes = block.asSlice(TEXT, length).toArray(JAVA_BYTE);
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

    private static FdSocketException refused(String call, int result) {
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
