// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * Connection to the gateway in the name of one client that makes no request at the moment. The gateway limits the
 * connections of a client, so all its listeners share the pool. It limits all connections, too, so the pool keeps at
 * most one, and closes it if no request uses it for a while. Any thread may call any method.
 */
final class ConnectionPool {
    private final Executor later;
    private GatewayConnection idle; // guarded by this, as all below
    private boolean used;
    private boolean watched;
    private int sessions;

    /** @param rest a connection is closed after this time without use, and before twice the time */
    ConnectionPool(Duration rest) {
        later = CompletableFuture.delayedExecutor(rest.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** Counts one more session that uses the pool. */
    synchronized void enter() {
        sessions++;
    }

    /** Counts a session off, and closes the connection after the last one. {@return whether it was the last one} */
    boolean leave() {
        GatewayConnection unused;
        synchronized (this) {
            sessions--;
            if (sessions > 0) {
                return false;
            }
            unused = take();
        }
        close(unused);
        return true;
    }

    /** {@return a connection, which the caller returns or closes; null if the pool is empty} */
    synchronized GatewayConnection take() {
        GatewayConnection taken = idle;
        idle = null;
        return taken;
    }

    /** Takes a connection over, and closes it if the pool has one or no session. */
    void give(GatewayConnection connection) {
        if (!isKept(connection)) {
            connection.close();
        }
    }

    private synchronized boolean isKept(GatewayConnection connection) {
        boolean kept = sessions > 0 && idle == null;
        if (kept) {
            idle = connection;
            used = true;
            if (!watched) { // one look for many requests
                watched = true;
                later.execute(this::closeUnused);
            }
        }
        return kept;
    }

    private void closeUnused() {
        close(takeUnused());
    }

    private synchronized GatewayConnection takeUnused() {
        watched = used;
        used = false;
        if (watched) {
            later.execute(this::closeUnused);
            return null;
        }
        return take();
    }

    private static void close(GatewayConnection unused) {
        if (unused != null) {
            unused.close();
        }
    }
}
