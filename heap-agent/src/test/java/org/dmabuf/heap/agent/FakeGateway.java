// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.ReceivedPacket;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.nativeclient.protocol.PacketHeader;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.dmabuf.heap.nativeclient.protocol.Request;

/**
 * Gateway of the tests: the server's side of the protocol, with real memfds. Heap {@code system} has the id 0, heap
 * {@code cma} the id 4 and heap {@code wide} the id 40. Sizes of 1 MiB and more wait for the latch.
 */
final class FakeGateway {
    /** Statuses for masks from bit 8 on. */
    static final List<Errno> STATUSES = List.of(
            Errno.EACCES,
            Errno.ENOMEM,
            Errno.ENODEV,
            Errno.EINVAL,
            Errno.EIO,
            Errno.ETIMEDOUT,
            Errno.EMFILE,
            Errno.ENOSPC);

    private static final Duration LONG = Duration.ofHours(1);

    final List<Request.Hello> hellos = new CopyOnWriteArrayList<>();
    final List<Request.Allocate> requests = new CopyOnWriteArrayList<>();
    final AtomicInteger waiting = new AtomicInteger();
    /** Further connections get EBUSY. */
    volatile int mostConnections = Integer.MAX_VALUE;
    /** Connections that got it. */
    final AtomicInteger refused = new AtomicInteger();

    private final FdListener listener;
    private final Memfd memfds = new Memfd(Syscalls.linux());
    private final Set<PacketSocket> connections = ConcurrentHashMap.newKeySet();
    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private final CountDownLatch latch;
    private volatile boolean closed;

    FakeGateway(Path path) {
        this(path, new CountDownLatch(0));
    }

    FakeGateway(Path path, CountDownLatch latch) {
        this.latch = latch;
        listener = FdListener.bind(path);
        threads.add(Thread.ofPlatform().start(this::accept));
    }

    /** {@return number of connections} */
    int connections() {
        return connections.size();
    }

    private void accept() {
        while (!closed) {
            try {
                PacketSocket connection = listener.acceptPackets(LONG, LONG, _ -> true);
                boolean welcome = connections.size() < mostConnections;
                if (welcome) {
                    connections.add(connection);
                }
                threads.add(Thread.ofPlatform().start(() -> {
                    if (welcome) {
                        serve(connection);
                    } else {
                        refuse(connection);
                    }
                }));
            } catch (FdSocketException | IllegalStateException e) {
                // closed
            }
        }
    }

    /** A reply with the serial number 0. The connection stays until the agent closes it, so the reply is never lost. */
    private void refuse(PacketSocket connection) {
        refused.incrementAndGet();
        try (connection;
                Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(PacketHeader.LONGEST_PACKET, 8);
            connection.receive(space).close();
            connection.send(
                    Reply.Failure.of(Errno.EBUSY, "too many connections").encode(1, 0, space));
            connection.receive(space).close();
        } catch (FdSocketException | IllegalStateException e) {
            // the agent has closed the connection
        }
    }

    private void serve(PacketSocket connection) {
        try (connection;
                Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(PacketHeader.LONGEST_PACKET, 8);
            boolean more = true;
            while (more) {
                try (ReceivedPacket packet = connection.receive(space)) {
                    more = packet.size() > 0;
                    if (more) {
                        answer(connection, space, space.asSlice(0, packet.size()));
                    }
                }
            }
        } catch (FdSocketException | IllegalStateException e) {
            // the agent has closed the connection, or the test the gateway
        } finally {
            connections.remove(connection);
        }
    }

    private void answer(PacketSocket connection, MemorySegment space, MemorySegment packet) {
        PacketHeader header = PacketHeader.of(packet);
        Request request = Request.decode(header, packet);
        switch (request) {
            case Request.Hello hello -> {
                hellos.add(hello);
                send(connection, space, header, new Reply.Welcome(1, hello.kind() + ":" + hello.name()));
            }
            case Request.Heaps heaps -> send(connection, space, header, list(heaps.first()));
            case Request.Allocate allocate -> {
                requests.add(allocate);
                allocate(connection, space, header, allocate);
            }
            default -> throw new AssertionError(request);
        }
    }

    /** Two heaps in a part, so that the agent has to ask again. */
    private static Reply list(int first) {
        List<Reply.Heap> heaps =
                List.of(heap("system", "system", 1), heap("cma", "cma", 16), heap("wide", "x", 1L << 40));
        return new Reply.HeapList(3, heaps.subList(first, Math.min(first + 2, 3)));
    }

    private static Reply.Heap heap(String name, String type, long mask) {
        return new Reply.Heap(name, type, mask, 0, Reply.NO_QUOTA, true, false, false);
    }

    private void allocate(
            PacketSocket connection, MemorySegment space, PacketHeader header, Request.Allocate allocate) {
        if (allocate.size() >= 1 << 20) {
            waiting.incrementAndGet();
            try {
                latch.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        int bit = Long.numberOfTrailingZeros(allocate.mask());
        if (bit >= 8 && bit < 16) {
            send(connection, space, header, Reply.Failure.of(STATUSES.get(bit - 8), "the test refuses"));
        } else if (!allocate.heaps().equals(List.of("system"))
                && !allocate.heaps().equals(List.of("cma"))
                && (allocate.mask() & 17) == 0) {
            send(connection, space, header, Reply.Failure.of(Errno.ENODEV, "no such heap"));
        } else {
            long size = (allocate.size() + Bytes.PAGE - 1) / Bytes.PAGE * Bytes.PAGE;
            try (OwnedFd memory = OwnedFd.of(memfds.create("", "test", size, 0), Syscalls.linux()::close)) {
                Reply reply = new Reply.Buffer(size, true, "system");
                connection.send(reply.encode(header.operation(), header.serial(), space), memory);
            } catch (HeapException e) {
                send(connection, space, header, Reply.Failure.of(Errno.ENOMEM, "no memory"));
            }
        }
    }

    private static void send(PacketSocket connection, MemorySegment space, PacketHeader header, Reply reply) {
        connection.send(reply.encode(header.operation(), header.serial(), space));
    }

    /** Ends as a killed gateway: all connections break. */
    void stop() throws InterruptedException {
        closed = true;
        listener.close();
        threads.getFirst().join();
        connections.forEach(PacketSocket::close);
        latchOpen();
        for (Thread thread : new ArrayList<>(threads)) {
            thread.join();
        }
    }

    private void latchOpen() {
        while (latch.getCount() > 0) {
            latch.countDown();
        }
    }
}
