// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Socket on which a service manager receives the state of its services, as sd_notify(3) describes. It has no descriptor
 * between messages. Any thread may send.
 */
public final class NotifySocket {
    private static final Duration LONGEST = Duration.ofSeconds(1);

    private final String address;
    private final Syscalls syscalls = Syscalls.linux();
    private final SocketCalls sockets = SocketCalls.linux();

    private NotifySocket(String address) {
        this.address = address;
    }

    /**
     * Names a socket.
     *
     * @param address value of NOTIFY_SOCKET: an absolute path, or an abstract address after {@code @}
     * @return the socket, to which nothing is sent yet
     * @throws IllegalArgumentException for another address
     */
    public static NotifySocket at(String address) {
        if (address.length() < 2 || !address.startsWith("/") && !address.startsWith("@")) {
            throw new IllegalArgumentException("invalid NOTIFY_SOCKET = " + Printable.of(address)
                    + " in the environment: expected an absolute path, or @ with an abstract address");
        }
        return new NotifySocket(address);
    }

    /**
     * Sends a message. Waits at most one second for a service manager that does not read.
     *
     * @param state such as {@code READY=1}
     * @throws FdSocketException {@link Errno#ENOENT} or {@link Errno#ECONNREFUSED} without a service manager,
     *     {@link Errno#ETIMEDOUT} when it does not read, or any other error of the kernel
     */
    public void send(String state) {
        byte[] text = state.getBytes(StandardCharsets.UTF_8);
        try (OwnedFd socket = OwnedFd.of(FdSocket.require("socket", sockets.datagramSocket(), ""), syscalls::close);
                Arena arena = Arena.ofConfined()) {
            FdSocket.require("setsockopt", sockets.timeout(socket.fd(), FdSocket.millis(LONGEST)), "");
            String path = address.startsWith("@") ? '\0' + address.substring(1) : address;
            FdSocket.require("connect", sockets.connect(socket.fd(), path), " to " + Printable.of(address));
            MemorySegment bytes = arena.allocate(text.length);
            bytes.copyFrom(MemorySegment.ofArray(text));
            MessageHeader header = new MessageHeader();
            header.plain(bytes);
            long sent;
            do {
                sent = sockets.send(socket.fd(), header.msghdr());
            } while (sent == -Errno.EINTR.number());
            FdSocket.require("sendmsg", sent, " to " + Printable.of(address));
        }
    }
}
