// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.ReceivedPacket;
import org.dmabuf.heap.nativeclient.protocol.MalformedPacketException;
import org.dmabuf.heap.nativeclient.protocol.Operation;
import org.dmabuf.heap.nativeclient.protocol.PacketHeader;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.dmabuf.heap.nativeclient.protocol.Request;

/**
 * Connection to the gateway in the name of one client. After an exception its state is unknown, and it must be closed.
 * One thread at a time makes a request; any thread may close, which ends the request.
 */
final class GatewayConnection implements AutoCloseable {
    /** Serial number of a reply to no request: the gateway refuses the connection. */
    private static final long REFUSED_CONNECTION = 0;

    private final PacketSocket socket;
    private final MemorySegment space = Arena.ofAuto().allocate(PacketHeader.LONGEST_PACKET, 8);
    private long serial;

    /**
     * Reply of the gateway.
     *
     * @param reply the result of the operation
     * @param descriptor the descriptor that came with it, which the holder closes
     */
    record Answer(Reply reply, Optional<OwnedFd> descriptor) {}

    /** Takes ownership of a connected socket. */
    GatewayConnection(PacketSocket socket) {
        this.socket = socket;
    }

    /**
     * Makes a request, and waits for its reply.
     *
     * @param lead passed to another thread if the wait is long
     * @return the reply, which can be a failure
     * @throws FdSocketException if the connection is broken, or the gateway does not reply in time
     * @throws MalformedPacketException if the gateway does not keep to the protocol, or has closed the connection
     * @throws IllegalStateException after {@link #close}
     */
    Answer exchange(Request request, Lead lead) {
        long number = ++serial;
        socket.send(request.encode(number, space));
        lead.awaitReply(socket);
        ReceivedPacket packet =
                request.operation() == Operation.ALLOCATE ? socket.receiveWithDescriptor(space) : socket.receive(space);
        boolean handedOver = false;
        try {
            if (packet.size() == 0) {
                throw new MalformedPacketException(Errno.EPROTO, "the gateway has closed the connection");
            }
            MemorySegment bytes = space.asSlice(0, packet.size());
            long replied = PacketHeader.of(bytes).serial();
            if (packet.isCut() || replied != number && replied != REFUSED_CONNECTION) {
                throw new MalformedPacketException(Errno.EPROTO, "the gateway has sent no reply to this request");
            }
            Answer answer = new Answer(Reply.decode(request.operation(), bytes), packet.descriptor());
            handedOver = true;
            return answer;
        } finally {
            if (!handedOver) {
                packet.close();
            }
        }
    }

    @Override
    public void close() {
        socket.close();
    }
}
