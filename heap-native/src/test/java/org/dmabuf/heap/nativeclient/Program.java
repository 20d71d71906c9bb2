// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.ReceivedPacket;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.nativeclient.protocol.Operation;
import org.dmabuf.heap.nativeclient.protocol.PacketHeader;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.dmabuf.heap.nativeclient.protocol.Request;

/** Program at the other end of the socket. For one thread. */
final class Program implements AutoCloseable {
    final PacketSocket socket;
    private final MemorySegment space = Arena.ofAuto().allocate(PacketHeader.LONGEST_PACKET);
    private final List<OwnedFd> descriptors = new ArrayList<>();
    private long serial;

    Program(Path path) {
        socket = PacketSocket.connect(path, Duration.ofSeconds(20));
    }

    /** Connects and says HELLO. */
    static Program greeting(Path path) {
        Program program = new Program(path);
        program.ask(Request.Hello.own());
        return program;
    }

    static Request.Allocate allocate(long size, String... heaps) {
        return new Request.Allocate(size, 0, 0, false, 0, 0, "", List.of(heaps), "", List.of(), List.of(), List.of());
    }

    static Request.Allocate waiting(long size, int millis, String... heaps) {
        return new Request.Allocate(
                size, 0, 0, false, millis, 0, "", List.of(heaps), "", List.of(), List.of(), List.of());
    }

    void send(Request request) {
        socket.send(request.encode(++serial, space));
    }

    /** {@return the reply to the last request; its descriptor is open until {@link #closeDescriptors}} */
    Reply reply(Operation operation) {
        try (ReceivedPacket received = socket.receiveWithDescriptor(space)) {
            if (received.size() == 0) {
                throw new AssertionError("the server has disconnected");
            }
            received.descriptor().ifPresent(fd -> descriptors.add(OwnedFd.of(fd.detach(), Syscalls.linux()::close)));
            return Reply.decode(operation, space.asSlice(0, received.size()));
        }
    }

    Reply ask(Request request) {
        send(request);
        return reply(request.operation());
    }

    Reply.Buffer buffer(Request request) {
        Reply reply = ask(request);
        if (reply instanceof Reply.Buffer buffer) {
            return buffer;
        }
        throw new AssertionError("expected a buffer, got " + reply);
    }

    Reply.Failure failure(Request request) {
        Reply reply = ask(request);
        if (reply instanceof Reply.Failure failure) {
            return failure;
        }
        throw new AssertionError("expected a failure, got " + reply);
    }

    /** {@return the descriptor that came last} */
    OwnedFd descriptor() {
        return descriptors.getLast();
    }

    void closeDescriptors() {
        descriptors.forEach(OwnedFd::close);
        descriptors.clear();
    }

    @Override
    public void close() {
        closeDescriptors();
        socket.close();
    }
}
