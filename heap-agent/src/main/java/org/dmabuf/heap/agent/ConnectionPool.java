// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * Connections to the gateway in the name of one client that make no request at the moment. The gateway limits the
 * connections of a client, so all its listeners share the pool. Any thread may call any method.
 */
final class ConnectionPool {
    private static final int MOST = 4;

    private final Deque<GatewayConnection> idle = new ArrayDeque<>();
    private int sessions;

    /** Counts one more session that uses the pool. */
    synchronized void enter() {
        sessions++;
    }

    /** Counts a session off, and closes all connections after the last one. {@return whether it was the last one} */
    boolean leave() {
        List<GatewayConnection> unused;
        synchronized (this) {
            sessions--;
            if (sessions > 0) {
                return false;
            }
            unused = List.copyOf(idle);
            idle.clear();
        }
        unused.forEach(GatewayConnection::close);
        return true;
    }

    /** {@return a connection, which the caller returns or closes; null if the pool is empty} */
    synchronized GatewayConnection take() {
        return idle.pollLast();
    }

    /** Takes a connection over, and closes it if the pool has enough of them or no session. */
    void give(GatewayConnection connection) {
        if (!isKept(connection)) {
            connection.close();
        }
    }

    private synchronized boolean isKept(GatewayConnection connection) {
        boolean kept = sessions > 0 && idle.size() < MOST;
        if (kept) {
            idle.addLast(connection);
        }
        return kept;
    }
}
