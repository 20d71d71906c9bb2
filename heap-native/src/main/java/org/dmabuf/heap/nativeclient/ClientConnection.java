// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.socket.ReceivedPacket;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.nativeclient.protocol.MalformedPacketException;
import org.dmabuf.heap.nativeclient.protocol.Operation;
import org.dmabuf.heap.nativeclient.protocol.PacketHeader;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.dmabuf.heap.nativeclient.protocol.Request;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Connection of one program, which its own thread serves: request by request, in their order. A request that waits
 * therefore delays only its own connection.
 */
final class ClientConnection implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(ClientConnection.class);

    /** Longer than a container's id, and than most control groups. Listings keep the text for each buffer. */
    private static final int LONGEST_PLACE = 256;

    private final PacketSocket socket;
    private final PeerCredentials peer;
    private final NativeClient.Services services;
    /** Counts for the peer's user before an agent names another client. */
    private final Slots.Slot slot;

    private final RefusalLog refusals;
    private final long helloDeadline;
    /** Null before HELLO. */
    private volatile NativeClient client;
    /** Request in its thread, null between requests. */
    private volatile Running running;

    private volatile boolean closed;

    private record Running(Thread thread, Request request) {
        /** {@return the request with its heaps, for a message} */
        String call() {
            return request instanceof Request.Allocate allocate
                            && !allocate.heaps().isEmpty()
                    ? request.operation() + " from heap '" + Printable.of(String.join("', '", allocate.heaps())) + "'"
                    : request.operation().toString();
        }
    }

    /**
     * Takes ownership of a connection and of its slot.
     *
     * @param hello a program that has not said HELLO within this time is disconnected
     */
    ClientConnection(
            PacketSocket socket,
            PeerCredentials peer,
            Slots.Slot slot,
            NativeClient.Services services,
            RefusalLog refusals,
            Duration hello) {
        this.socket = socket;
        this.peer = peer;
        this.slot = slot;
        this.services = services;
        this.refusals = refusals;
        helloDeadline = System.nanoTime() + hello.toNanos();
    }

    /** Serves the connection until the program leaves, or {@link #close} is called. */
    @Override
    public void run() {
        try (Arena arena = Arena.ofConfined();
                PacketSocket _ = socket) {
            MemorySegment space = arena.allocate(PacketHeader.LONGEST_PACKET);
            while (serveNext(space)) {
                // the next request
            }
        } catch (FdSocketException e) {
            if (e.errno() == Errno.ETIMEDOUT) {
                LOG.info("{} is disconnected, because it does not read its replies", peer);
            } else {
                LOG.debug("{} has left: {}", peer, e.getMessage());
            }
        } catch (IllegalStateException e) { // closed by the server
            LOG.debug("{} is disconnected: {}", peer, e.getMessage());
        } finally {
            Thread.interrupted(); // a late interrupt must not cut the release of the view short
            try (Slots.Slot _ = slot) {
                slot.abandon("the release of its view");
                if (client != null) {
                    client.leave();
                }
            }
        }
    }

    /** {@return whether the connection goes on} */
    private boolean serveNext(MemorySegment space) {
        try (ReceivedPacket received = socket.receive(space)) {
            if (received.size() == 0) {
                return false;
            }
            MemorySegment packet = space.asSlice(0, received.size());
            PacketHeader header;
            try {
                header = header(received, packet);
            } catch (MalformedPacketException e) {
                refusals.add(slot.client(), peer, "a packet is not of this protocol"); // without the peer's bytes
                socket.send(Reply.Failure.of(e.errno(), e.getMessage()).encode(0, 0, space));
                return false; // it is no client of this protocol
            }
            try (Answer answer = answer(header, packet, received.hadUnwantedDescriptors())) {
                send(answer, header, space);
            }
            return true;
        }
    }

    private static PacketHeader header(ReceivedPacket received, MemorySegment packet) {
        if (received.isCut()) {
            throw new MalformedPacketException(
                    Errno.EPROTO, "the packet has more than " + PacketHeader.LONGEST_PACKET + " bytes");
        }
        return PacketHeader.of(packet);
    }

    private Answer answer(PacketHeader header, MemorySegment packet, boolean descriptors) {
        try {
            if (descriptors) {
                throw new MalformedPacketException(
                        Errno.EINVAL, "the request came with descriptors: expected none; all are closed");
            }
            Request request = Request.decode(header, packet);
            if (client == null) {
                return Answer.none(welcome(request));
            }
            running = new Running(Thread.currentThread(), request);
            try {
                if (closed) { // a close before has seen no thread to interrupt
                    throw new IllegalStateException("the socket for native clients is closed");
                }
                return client.perform(request);
            } finally {
                running = null;
            }
        } catch (MalformedPacketException e) {
            return failure(e.errno().number(), e.getMessage());
        } catch (HeapException e) {
            if (e.errno() == Errno.EACCES) {
                refusals.add(slot.client(), peer, e.getMessage());
            }
            return failure(e.number(), e.getMessage());
        } catch (IllegalArgumentException e) {
            return failure(Errno.EINVAL.number(), e.getMessage());
        } catch (IllegalStateException e) { // the view or the publication has ended
            return failure(Errno.ENODEV.number(), e.getMessage());
        } catch (RuntimeException e) {
            LOG.error("a request of {} failed; report that", peer, e);
            return failure(Errno.EIO.number(), "the request failed: " + e + "; see the log of the gateway");
        }
    }

    private static Answer failure(int number, String sentence) {
        return Answer.none(new Reply.Failure(-number, String.valueOf(sentence)));
    }

    private Reply welcome(Request request) {
        if (!(request instanceof Request.Hello hello)) {
            throw new MalformedPacketException(
                    Errno.EPROTO, "the first request is " + request.operation() + ": expected " + Operation.HELLO);
        }
        if (hello.lowest() > PacketHeader.VERSION || hello.highest() < PacketHeader.VERSION) {
            throw new MalformedPacketException(
                    Errno.EPROTO,
                    "the client speaks versions " + hello.lowest() + " to " + hello.highest()
                            + " of the protocol: expected " + PacketHeader.VERSION);
        }
        ClientId id = identity(hello);
        slot.move(id);
        int pid = hello.agent() ? hello.pid() : peer.pid();
        String origin = origin(pid, hello.origin());
        Views.Entered entered = services.views().enter(id, origin);
        client = new NativeClient(id, origin, hello.agent(), pid, entered.view(), services);
        if (hello.agent() && entered.first()) { // not for each of many connections
            LOG.info("client {}, {}, is served through {}", id, origin, peer);
        } else {
            LOG.debug("client {} connected: {}", id, peer);
        }
        return new Reply.Welcome(PacketHeader.VERSION, id.toString());
    }

    /** {@return the process and the place where it runs, as listings and the log show them} */
    private static String origin(int pid, String place) {
        String process = "process " + (pid == 0 ? "unknown" : Integer.toUnsignedString(pid));
        String shown = Printable.of(place.substring(0, Math.min(place.length(), LONGEST_PLACE)));
        return shown.isEmpty() ? process : process + " of " + shown;
    }

    private ClientId identity(Request.Hello hello) {
        if (hello.agent()) {
            services.policy().get().requireAgent(peer);
            return ClientId.of(hello.kind(), hello.name());
        }
        if (hello.pid() != 0
                || !hello.kind().isEmpty()
                || !hello.name().isEmpty()
                || !hello.origin().isEmpty()) {
            throw new MalformedPacketException(
                    Errno.EINVAL, "a plain client has named another client: expected 0 and empty texts, or role 1");
        }
        return user(peer);
    }

    /** {@return the identity of a program that requests memory for itself} */
    static ClientId user(PeerCredentials peer) {
        return ClientId.of("uid", Integer.toUnsignedString(peer.uid()));
    }

    private void send(Answer answer, PacketHeader header, MemorySegment space) {
        MemorySegment packet = answer.reply().encode(header.operation(), header.serial(), space);
        if (answer.descriptor().isEmpty()) {
            socket.send(packet);
            return;
        }
        try {
            socket.send(packet, answer.descriptor().get());
        } catch (FdSocketException e) {
            if (e.errno() != Errno.EACCES) {
                throw e;
            }
            refusals.add(slot.client(), peer, e.getMessage());
            socket.send(Reply.Failure.of(e.errno(), e.getMessage()).encode(header.operation(), header.serial(), space));
        }
    }

    /**
     * Interrupts a request whose program has left, because it could wait for memory or for a heap without limit. A heap
     * can ignore the interrupt, therefore the connection no longer counts.
     */
    void endIfAbandoned() {
        Running waiting = running;
        if (waiting != null && socket.hasHungUp()) {
            waiting.thread().interrupt();
            slot.abandon(waiting.call());
        }
    }

    /** Disconnects a program that has not said HELLO in time. */
    void endIfSilent() {
        if (client == null && System.nanoTime() - helloDeadline > 0) {
            socket.close();
        }
    }

    /** Disconnects the program, and interrupts a request that waits. */
    void close() {
        closed = true;
        socket.close();
        endIfAbandoned();
    }
}
