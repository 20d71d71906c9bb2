// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.function.IntToLongFunction;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Socket for packets of bytes (SOCK_SEQPACKET), each with at most one descriptor. The packets are in native memory of
 * the caller, so that a packet costs one system call and no copy. {@link FdSocket} is the socket for a line of text
 * with a descriptor.
 *
 * <p>The peer is not trusted, and cannot leak descriptors into this process, as described at {@link FdSocket}.
 *
 * <p>One thread at a time sends or receives. Any thread may call {@link #hasHungUp}, or close, which ends a waiting
 * call.
 */
public final class PacketSocket implements Connection {
    private static final short POLLERR = 0x8;
    private static final short POLLHUP = 0x10;
    private static final long POLL_REVENTS = 6;
    private static final long POLLFD = 8;

    private final Syscalls syscalls;
    private final SocketCalls sockets;
    private final GuardedSocket socket;
    private final Peer peer;
    private final MessageHeader header = new MessageHeader();
    private final long timeoutNanos;

    /** Takes ownership of a connected socket, whose calls have the timeout already. */
    private PacketSocket(Syscalls syscalls, SocketCalls sockets, OwnedFd socket, Duration timeout) {
        this.syscalls = syscalls;
        this.sockets = sockets;
        this.socket = new GuardedSocket(sockets, socket);
        peer = new Peer(sockets, this.socket);
        timeoutNanos = timeout.toNanos();
    }

    /**
     * Connects to a listening process.
     *
     * @param path of its socket, at most {@value SocketFile#PATH_BYTES} bytes
     * @param timeout timeout of this and every later call, at least a millisecond
     * @return a connected socket, which the caller closes
     * @throws FdSocketException {@link Errno#ECONNREFUSED} when no process listens there, or any other error of the
     *     kernel
     */
    public static PacketSocket connect(Path path, Duration timeout) {
        return connect(Syscalls.linux(), SocketCalls.linux(), path, timeout);
    }

    static PacketSocket connect(Syscalls syscalls, SocketCalls sockets, Path path, Duration timeout) {
        OwnedFd socket = FdSocket.connected(syscalls, sockets, path, timeout);
        PacketSocket made = null;
        try {
            made = new PacketSocket(syscalls, sockets, socket, timeout);
            return made;
        } finally {
            if (made == null) {
                socket.close();
            }
        }
    }

    /**
     * Makes an object for an accepted connection, and closes the connection if that fails.
     *
     * @param timeout timeout of sending; receiving has no limit
     */
    static PacketSocket accepted(Syscalls syscalls, SocketCalls sockets, int connection, Duration timeout) {
        PacketSocket made = null;
        try {
            FdSocket.require("setsockopt", sockets.timeout(connection, FdSocket.millis(timeout)), "");
            FdSocket.require("setsockopt", sockets.receiveTimeout(connection, 0), "");
            made = new PacketSocket(syscalls, sockets, OwnedFd.of(connection, syscalls::close), timeout);
            return made;
        } finally {
            if (made == null) {
                syscalls.close(connection);
            }
        }
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
     * Limits the wait of every later receipt. A socket for a stream of bytes gives one piece of the stream at a time.
     *
     * @param timeout at least a millisecond
     * @throws IllegalStateException when this socket is closed
     */
    public void limitReceipt(Duration timeout) {
        long millis = FdSocket.millis(timeout);
        FdSocket.require("setsockopt", socket.call(fd -> sockets.receiveTimeout(fd, millis)), "");
    }

    /**
     * Sends a packet.
     *
     * @param packet all bytes of it, at least one, in native memory
     * @throws FdSocketException {@link Errno#EPIPE} or {@link Errno#ECONNRESET} when the peer has closed the
     *     connection, {@link Errno#ETIMEDOUT} when it does not read
     */
    public void send(MemorySegment packet) {
        header.plain(packet);
        transmit(packet);
    }

    /**
     * Sends a packet with a descriptor. The receiver gets a duplicate. The rule of the memory's heap about peers is
     * checked as by {@link FdSocket#send}.
     *
     * @param packet all bytes of it, at least one, in native memory
     * @param descriptor a descriptor, which the caller keeps; no other thread may close it during the call
     * @throws FdSocketException {@link Errno#EACCES} when the heap does not permit the peer's user, or as
     *     {@link #send(MemorySegment)}; the descriptor was not sent then
     */
    public void send(MemorySegment packet, OwnedFd descriptor) {
        peer.requirePermitted(descriptor);
        header.withDescriptor(packet, descriptor.fd());
        transmit(packet);
    }

    private void transmit(MemorySegment packet) {
        if (packet.byteSize() == 0) {
            throw new FdSocketException(Errno.EINVAL, "invalid packet of 0 bytes: expected at least one");
        }
        try {
            FdSocket.require("sendmsg", uninterrupted(fd -> sockets.send(fd, header.msghdr())), "");
        } finally {
            Reference.reachabilityFence(packet); // the header has only its address
        }
    }

    /**
     * Waits in a call of the caller, which can wait for other files, too. {@link #close} makes this socket readable.
     *
     * @param wait gets the socket's number, which it must not store
     * @return the result of that call
     * @throws IllegalStateException when this socket is closed
     */
    public boolean await(IntPredicate wait) {
        return socket.call(fd -> wait.test(fd) ? 1 : 0) != 0;
    }

    /**
     * Receives one packet and accepts no descriptor. The kernel drops the descriptors of the packet.
     *
     * @param space native memory for the longest valid packet
     * @return what was received; the end of the connection has size 0
     * @throws FdSocketException {@link Errno#ETIMEDOUT} when no packet came, or any other error of the kernel
     * @throws IllegalStateException when this socket is closed
     */
    public ReceivedPacket receive(MemorySegment space) {
        header.plain(space);
        int size = transfer(space);
        return new ReceivedPacket(size, header.isCut(), header.lostDescriptors(), Optional.empty());
    }

    /**
     * Receives one packet with at most one descriptor. All descriptors of a packet with several are closed.
     *
     * @param space native memory for the longest valid packet
     * @return what was received, which the caller closes; the end of the connection has size 0
     * @throws FdSocketException {@link Errno#ETIMEDOUT} when no packet came; {@link Errno#EBUSY} while descriptors
     *     from the peer's user cannot be closed, see {@link FdSocket#receive()}; {@link Errno#EMFILE} when this process
     *     has no free number for the descriptor
     * @throws IllegalStateException when this socket is closed
     */
    public ReceivedPacket receiveWithDescriptor(MemorySegment space) {
        ForeignFdCloser disposal = ForeignFdCloser.of(peer.user());
        disposal.requireRoom();
        ForeignFd[] room = new ForeignFd[MessageHeader.ROOM];
        Arrays.setAll(room, _ -> new ForeignFd(syscalls, disposal));
        header.forDescriptors(space);
        int size = transfer(space);
        int descriptors = header.take(room);
        boolean accepted = false;
        try {
            if (header.lostDescriptors() && descriptors < MessageHeader.ROOM) {
                throw FdSocket.refused("recvmsg", -Errno.EMFILE.number());
            }
            Optional<OwnedFd> one = descriptors == 1 ? Optional.of(room[0].descriptor()) : Optional.empty();
            ReceivedPacket packet = new ReceivedPacket(size, header.isCut(), descriptors > 1, one);
            accepted = descriptors == 1;
            return packet;
        } finally {
            if (!accepted) {
                for (ForeignFd unwanted : room) {
                    unwanted.descriptor().close();
                }
            }
        }
    }

    /** After a successful call nothing here may fail, because a received descriptor would be lost. */
    private int transfer(MemorySegment space) {
        try {
            long received = uninterrupted(fd -> sockets.receive(fd, header.msghdr()));
            if (received == -Errno.ECONNRESET.number()) {
                return 0; // the peer closed before it had read everything
            }
            return FdSocket.require("recvmsg", received, "");
        } finally {
            Reference.reachabilityFence(space);
        }
    }

    /** Repeats a call that a signal interrupted. Signals extend a wait to less than twice the timeout. */
    private long uninterrupted(IntToLongFunction call) {
        long begin = System.nanoTime();
        long result = socket.call(call);
        while (result == -Errno.EINTR.number() && System.nanoTime() - begin < timeoutNanos) {
            result = socket.call(call);
        }
        return result == -Errno.EINTR.number() ? -Errno.EAGAIN.number() : result;
    }

    /**
     * Returns whether the peer has closed the connection, without waiting. A peer that only ended its own sending has
     * not. While another thread sends or receives, the answer is false, because that call itself ends when the peer
     * leaves.
     *
     * @return true also after {@link #close}
     */
    public boolean hasHungUp() {
        return socket.callUnlessBusy(this::pollForHangUp, 0, 1) != 0;
    }

    private long pollForHangUp(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pollfd = arena.allocate(POLLFD, 4); // without events, as POLLHUP is always reported
            pollfd.set(JAVA_INT, 0, fd);
            int ready = syscalls.poll(pollfd.address(), 1, 0);
            return ready <= 0 ? 0 : pollfd.get(JAVA_SHORT, POLL_REVENTS) & (POLLHUP | POLLERR);
        }
    }

    /** Closes the connection and ends a waiting call. Closing twice does nothing. */
    @Override
    public void close() {
        socket.close();
    }
}
