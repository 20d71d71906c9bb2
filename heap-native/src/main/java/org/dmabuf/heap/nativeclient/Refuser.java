// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.ReceivedPacket;
import org.dmabuf.heap.nativeclient.protocol.Operation;
import org.dmabuf.heap.nativeclient.protocol.PacketHeader;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Replies to programs whose connection is refused. It reads HELLO first: a close with unread bytes resets the
 * connection, and the program would not get the reply. A few threads do that, so that the accepting thread never waits.
 */
final class Refuser implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Refuser.class);
    private static final int MOST_THREADS = 16;
    private static final Duration HELLO = Duration.ofSeconds(1);

    private final ExecutorService threads = new ThreadPoolExecutor(
            0,
            MOST_THREADS,
            1,
            TimeUnit.SECONDS,
            new SynchronousQueue<>(),
            task -> Thread.ofPlatform().name("dmaheap-native refusals").daemon().unstarted(task));

    /**
     * Takes ownership of a connection, and closes it after the reply to its HELLO. While {@value #MOST_THREADS} other
     * programs are refused, the connection is closed without a reply.
     */
    void refuse(PacketSocket socket, HeapException refusal) {
        boolean taken = false;
        try {
            threads.execute(() -> reply(socket, refusal));
            taken = true;
        } catch (RejectedExecutionException e) {
            LOG.debug("a refused client is disconnected without a reply: too many are refused");
        } finally {
            if (!taken) {
                socket.close();
            }
        }
    }

    private static void reply(PacketSocket socket, HeapException refusal) {
        try (PacketSocket _ = socket;
                Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(PacketHeader.LONGEST_PACKET);
            socket.limitReceipt(HELLO);
            try (ReceivedPacket hello = socket.receive(space)) {
                if (hello.size() > 0) {
                    socket.send(Reply.Failure.of(refusal.errno(), refusal.getMessage())
                            .encode(Operation.HELLO.number(), 0, space));
                }
            }
        } catch (FdSocketException e) {
            LOG.debug("a refused client left: {}", e.getMessage());
        }
    }

    /** Waits for the refusals that go on, at most about a second. */
    @Override
    public void close() {
        threads.close();
    }
}
