// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;

/** The gateway's socket for native programs. Any thread may call any method. */
final class Gateway {
    private static final int UNKNOWN = -1; // no user has this number
    /** The gateway needs a moment to report that its heap did not answer in time. */
    private static final Duration REPORT = Duration.ofSeconds(5);

    /** Each idle client takes a connection from the gateway's limit for so long. */
    private static final Duration REST = Duration.ofSeconds(2);

    private final Path path;
    private final Duration wait;
    private final Duration timeout;
    private volatile int user = UNKNOWN;
    private final Map<ClientId, ConnectionPool> pools = new HashMap<>(); // guarded by itself

    /**
     * @param path of the socket
     * @param wait longest wait for a gateway that does not listen
     * @param timeout longest wait of an allocation
     */
    Gateway(Path path, Duration wait, Duration timeout) {
        this.path = path;
        this.wait = wait;
        this.timeout = timeout;
    }

    /** {@return the pool of a client, which is used until {@link #leave}} */
    ConnectionPool enter(ClientId client) {
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

    /** {@return a connected socket, which the caller closes} */
    PacketSocket connect() throws FdSocketException {
        PacketSocket socket = PacketSocket.connect(path, timeout.plus(REPORT));
        boolean known = false;
        try {
            user = socket.peer().uid();
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
        return owner == user && user != UNKNOWN;
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
