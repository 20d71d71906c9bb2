// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Numbers of open connections: of all clients, and of each. The calls that still run for programs that have left are
 * counted for each client only, so that a heap that hangs affects only the clients that used it. Any thread may call
 * any method.
 */
final class Slots {
    /** Connection that is counted, or the call that still runs after its program has left. */
    final class Slot implements AutoCloseable {
        private ClientId client;
        /** What an abandoned call asked, null while the program is connected. */
        private String abandoned;

        private boolean closed;

        private Slot(ClientId client) {
            this.client = client;
        }

        ClientId client() {
            synchronized (Slots.this) {
                return client;
            }
        }

        /**
         * Counts the connection for the client that HELLO has named. An agent's own user can differ from it, so only
         * now the abandoned calls matter.
         *
         * @throws HeapException {@link Errno#EBUSY} when that client has too many connections or abandoned calls
         */
        void move(ClientId to) {
            synchronized (Slots.this) {
                requireFewCalls(to);
                if (!client.equals(to)) {
                    requireFewer(to);
                    release(client);
                    counts.merge(to, 1, Integer::sum);
                    client = to;
                }
            }
        }

        /**
         * Ends the count of the connection, whose program has left. Until {@link #close} its call is counted.
         *
         * @param call the call that can hang, for a message
         */
        void abandon(String call) {
            synchronized (Slots.this) {
                if (abandoned == null) {
                    all--;
                    release(client);
                    abandoned = call;
                    running.computeIfAbsent(client, _ -> new ArrayList<>()).add(this);
                }
            }
        }

        /** Ends every count. Closing twice does nothing. */
        @Override
        public void close() {
            synchronized (Slots.this) {
                if (closed) {
                    return;
                }
                closed = true;
                if (abandoned == null) {
                    all--;
                    release(client);
                    return;
                }
                running.computeIfPresent(client, (_, slots) -> {
                    slots.remove(this);
                    return slots.isEmpty() ? null : slots;
                });
            }
        }
    }

    private final Map<ClientId, Integer> counts = new HashMap<>();
    /** Abandoned calls, oldest first. */
    private final Map<ClientId, List<Slot>> running = new HashMap<>();

    private int all;
    private NativeSettings.Limits limits;

    Slots(NativeSettings.Limits limits) {
        this.limits = limits;
    }

    synchronized void limits(NativeSettings.Limits changed) {
        limits = changed;
    }

    /**
     * Counts a connection.
     *
     * @return the slot, which the caller closes
     * @throws HeapException {@link Errno#EBUSY} when there are too many
     */
    synchronized Slot take(ClientId client) {
        if (all >= limits.all()) {
            throw HeapException.of(
                    Errno.EBUSY,
                    all + " connections are open, which is the limit; close some, or raise " + limits.allPlace());
        }
        requireFewer(client);
        all++;
        counts.merge(client, 1, Integer::sum);
        return new Slot(client);
    }

    private void requireFewer(ClientId client) {
        int count = counts.getOrDefault(client, 0);
        if (count >= limits.client()) {
            throw HeapException.of(
                    Errno.EBUSY,
                    "client " + Printable.of(client.toString()) + " has " + count
                            + " connections, which is the limit; close some, or raise " + limits.clientPlace());
        }
    }

    private void requireFewCalls(ClientId client) {
        List<Slot> calls = running.getOrDefault(client, List.of());
        if (calls.size() >= limits.client()) {
            throw HeapException.of(
                    Errno.EBUSY,
                    "client " + Printable.of(client.toString()) + " has left " + calls.size()
                            + " calls that have not returned, which is the limit; the oldest is "
                            + calls.getFirst().abandoned + "; restart the heap that hangs, or raise "
                            + limits.clientPlace());
        }
    }

    private void release(ClientId client) {
        counts.computeIfPresent(client, (_, count) -> count == 1 ? null : count - 1);
    }
}
