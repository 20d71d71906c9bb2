// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Printable;

/** Numbers of open connections: of all clients, and of each. Any thread may call any method. */
final class Slots {
    private final Map<ClientId, Integer> counts = new HashMap<>();
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
     * @throws HeapException {@link Errno#EBUSY} when there are too many
     */
    synchronized void take(ClientId client) {
        if (all >= limits.all()) {
            throw HeapException.of(
                    Errno.EBUSY,
                    all + " connections are open, which is the limit; close some, or raise " + limits.allPlace());
        }
        requireFewer(client);
        all++;
        counts.merge(client, 1, Integer::sum);
    }

    /**
     * Counts a connection for another client from now on.
     *
     * @throws HeapException {@link Errno#EBUSY} when the other client has too many
     */
    synchronized void move(ClientId from, ClientId to) {
        if (!from.equals(to)) {
            requireFewer(to);
            counts.merge(to, 1, Integer::sum);
            release(from);
        }
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

    synchronized void giveBack(ClientId client) {
        all--;
        release(client);
    }

    private void release(ClientId client) {
        counts.computeIfPresent(client, (_, count) -> count == 1 ? null : count - 1);
    }
}
