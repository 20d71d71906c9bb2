// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.PeerCredentials;

/**
 * Thread that accepts the connections of one socket. Each connection has a thread of its own, so that a silent peer
 * delays no other one, and the peers of one user have only some of them.
 */
final class Acceptor implements AutoCloseable {
    /** Longest wait for a part of a request, and for the peer to read the reply. */
    static final Duration PATIENCE = Duration.ofSeconds(5);

    private static final QuietLog LOG = new QuietLog(Acceptor.class);
    private static final Duration ROUND = Duration.ofMinutes(1);
    private static final long PAUSE_NANOS = 100_000_000;
    private static final int CONNECTIONS = 64;

    private final FdListener listener;
    private final Predicate<PeerCredentials> allowed;
    private final Limit<Integer> limit;
    private final Consumer<PacketSocket> conversation;
    private final Thread thread;
    private volatile boolean closed;
    private boolean dropped; // only the thread uses it

    /**
     * Begins to accept.
     *
     * @param listener closed by {@link #close}
     * @param allowed returns whether a peer may connect
     * @param each most connections of one user at a time
     * @param conversation gets each connection, in a thread of its own; it need not close it
     */
    Acceptor(FdListener listener, Predicate<PeerCredentials> allowed, int each, Consumer<PacketSocket> conversation) {
        this.listener = listener;
        this.allowed = allowed;
        this.limit = new Limit<>(CONNECTIONS, each);
        this.conversation = conversation;
        thread = Thread.ofPlatform()
                .name("connections to " + listener.path())
                .daemon()
                .start(this::run);
    }

    private void run() {
        boolean failing = false;
        while (!closed) {
            try {
                begin(listener.acceptPackets(ROUND, PATIENCE, allowed));
                failing = false;
            } catch (RuntimeException | OutOfMemoryError e) {
                boolean quiet = e instanceof FdSocketException socket && socket.errno() == Errno.ETIMEDOUT;
                if (!closed && !quiet) {
                    if (!failing) {
                        LOG.warn("accepting a connection to {} failed: {}", listener.path(), e.getMessage());
                    }
                    failing = true;
                    LockSupport.parkNanos(this, PAUSE_NANOS); // such as no free descriptor
                }
            }
        }
    }

    private void begin(PacketSocket connection) {
        boolean begun = false;
        boolean entered = false;
        int user = 0;
        try {
            connection.limitReceipt(PATIENCE);
            user = connection.peer().uid();
            entered = limit.enter(user);
            if (entered) {
                int entrant = user;
                Thread.ofPlatform()
                        .name("connection to " + listener.path())
                        .daemon()
                        .start(() -> converse(connection, entrant));
                begun = true;
            } else if (!dropped) {
                dropped = true;
                LOG.warn(
                        "{} is refused at {}: the limit of connections is {}; further refusals are not logged",
                        connection.peer(),
                        listener.path(),
                        limit);
            }
        } finally {
            if (!begun) {
                connection.close();
                if (entered) {
                    limit.leave(user);
                }
            }
        }
    }

    private void converse(PacketSocket connection, int user) {
        try (connection) {
            conversation.accept(connection);
        } catch (RuntimeException | OutOfMemoryError e) {
            LOG.warn("a connection to {} has failed: {}", listener.path(), e.getMessage());
        } finally {
            limit.leave(user);
        }
    }

    /** Ends the accepting thread. Connections end by their patience. */
    @Override
    public void close() {
        closed = true;
        listener.close();
        try {
            thread.join(PATIENCE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
