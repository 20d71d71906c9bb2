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

/** Acceptor of clients. Each has a thread of its own: what one of them hangs in keeps no other from its status. */
final class ControlServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** Connections at a time: sessions, and clients that ask for the status. */
    private static final int MOST = 32;

    /** Which users may be clients. */
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
                pause(); // without descriptors or memory, the next try fails as well
                report(e);
            }
        }
    }

    /** A log that fails does not end the thread that takes clients. */
    private static void report(Throwable thrown) {
        try {
            LOG.warn("a client of the control socket was not taken: {}", Sentence.of(thrown));
        } catch (RuntimeException | Error e) {
            // the next client is taken all the same
        }
    }

    private void take(SocketChannel channel) throws IOException {
        boolean taken = false;
        try {
            UserPrincipal peer = User.peer(channel);
            if (!check.mayConnect(peer)) {
                LOG.warn("user {} may not use the control socket: expected the gateway's user or root", peer.getName());
                return;
            }
            if (connections.size() >= MOST) {
                LOG.warn("a client of the control socket is refused: {} are connected", MOST);
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
                    connection.close(); // it came while the others were closed
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
