// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;

/** The gateway's socket for native programs. Any thread may call any method. */
final class Gateway {
    private static final int UNKNOWN = -1; // no user has this number

    /** Each idle client takes a connection from the gateway's limit for so long. */
    private static final Duration REST = Duration.ofSeconds(2);

    private final Path path;
    private final Duration wait;
    private final Duration timeout;
    private final AtomicInteger user = new AtomicInteger(UNKNOWN);
    private final Map<ClientId, ConnectionPool> pools = new HashMap<>(); // guarded by itself

    /**
     * @param path of the socket
     * @param wait longest wait for a gateway that does not listen
     * @param timeout longest wait for an answer
     */
    Gateway(Path path, Duration wait, Duration timeout) {
        this.path = path;
        this.wait = wait;
        this.timeout = timeout;
    }

    /** {@return the pool of a client, which is used until {@link #leave}} */
    ConnectionPool enter(ClientId client) {
        recognizeOwner();
        synchronized (pools) {
            ConnectionPool pool = pools.computeIfAbsent(client, _ -> new ConnectionPool(REST));
            pool.enter();
            return pool;
        }
    }

    void leave(ClientId client) {
        synchronized (pools) {
            if (pools.get(client).leave()) {
                pools.remove(client);
            }
        }
    }

    /** A client can have buffers of the gateway before the first connection of this agent. */
    private void recognizeOwner() {
        if (user.get() == UNKNOWN) {
            try {
                user.compareAndSet(UNKNOWN, (int) Files.getAttribute(path, "unix:uid"));
            } catch (IOException e) {
                // the gateway has not started yet
            }
        }
    }

    /** {@return a connected socket, which the caller closes} */
    PacketSocket connect() throws FdSocketException {
        PacketSocket socket = PacketSocket.connect(path, timeout);
        boolean known = false;
        try {
            user.set(socket.peer().uid());
            known = true;
            return socket;
        } finally {
            if (!known) {
                socket.close();
            }
        }
    }

    /**
     * {@return whether a user is the gateway's} A memfd belongs to the user of the process that made it, and a process
     * of another user cannot make such a file.
     */
    boolean isOf(int owner) {
        return owner == user.get() && owner != UNKNOWN;
    }

    Duration patience() {
        return wait;
    }

    Duration timeout() {
        return timeout;
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
