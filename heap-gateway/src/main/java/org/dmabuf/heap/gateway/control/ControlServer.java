// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.attribute.UserPrincipal;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.gateway.control.wire.User;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Acceptor of clients of the control socket. Each client has a thread of its own, so a client that hangs blocks no
 * other.
 */
final class ControlServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** Limit of simultaneous connections: sessions, and clients that request the status. */
    private static final int MOST = 32;

    /** Check whether a user may be a client. */
    @FunctionalInterface
    interface PeerCheck {
        boolean mayConnect(UserPrincipal user) throws IOException;
    }

    private final BoundSocket socket;
    private final PeerCheck check;
    private final Connection.Server server;
    private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
    private final Thread thread = new Thread(this::accept, "control socket");
    private volatile boolean closed;

    ControlServer(BoundSocket socket, PeerCheck check, Connection.Server server) {
        this.socket = socket;
        this.check = check;
        this.server = server;
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    private void accept() {
        while (!closed) {
            try {
                take(socket.channel().accept());
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException | RuntimeException | Error e) {
                pause(); // without free descriptors or memory, an immediate retry would fail as well
                report(e);
            }
        }
    }

    /** Logs a failure. An error of the log itself must not end the thread that accepts clients. */
    private static void report(Throwable thrown) {
        try {
            LOG.warn("accepting a client of the control socket failed: {}", Sentence.of(thrown));
        } catch (RuntimeException | Error e) {
            // the thread accepts the next client
        }
    }

    private void take(SocketChannel channel) throws IOException {
        boolean taken = false;
        try {
            UserPrincipal peer = User.peer(channel);
            if (!check.mayConnect(peer)) {
                LOG.warn(
                        "refused a client of user {} on the control socket: expected the gateway's user or root",
                        peer.getName());
                return;
            }
            if (connections.size() >= MOST) {
                LOG.warn("refused a client of the control socket: {} are connected, which is the limit", MOST);
                return;
            }
            Connection connection = new Connection(channel, peer, server);
            Thread serving = new Thread(
                    () -> {
                        try {
                            connection.run();
                        } finally {
                            connections.remove(connection);
                        }
                    },
                    "control: client");
            serving.setDaemon(true);
            connections.add(connection);
            try {
                serving.start();
                taken = true;
                if (closed) {
                    connection.close(); // it arrived while the other connections were closed
                }
            } finally {
                if (!taken) {
                    connections.remove(connection);
                }
            }
        } finally {
            if (!taken) {
                channel.close();
            }
        }
    }

    private static void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(100);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Removes the socket and ends all sessions. */
    @Override
    public void close() throws IOException {
        closed = true;
        try (socket) {
            connections.forEach(Connection::close);
        }
    }
}
