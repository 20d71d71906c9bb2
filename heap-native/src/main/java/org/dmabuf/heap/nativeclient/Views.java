// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.HeapBroker;

/** Views of the broker: one for each client, which the client's connections share. Any thread may call any method. */
final class Views {
    /** View of one client, with the number of its connections. */
    private static final class Shared {
        private final ClientView view;
        private int users;

        Shared(ClientView view) {
            this.view = view;
        }
    }

    /**
     * View that a connection shares.
     *
     * @param first whether it was opened for this connection
     */
    record Entered(ClientView view, boolean first) {}

    private final HeapBroker broker;
    private final Map<ClientId, Shared> views = new HashMap<>();

    Views(HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Opens the view of a client, or returns the one that is open.
     *
     * @return the view, for which the caller calls {@link #leave} once
     * @throws org.dmabuf.heap.HeapRefusedException when the broker permits no views
     */
    synchronized Entered enter(ClientId client) {
        Shared shared = views.get(client);
        boolean first = shared == null;
        if (first) {
            shared = new Shared(broker.openView(client));
            views.put(client, shared);
        }
        shared.users++;
        return new Entered(shared.view, first);
    }

    /** Closes the view of a client after its last connection. */
    void leave(ClientId client) {
        Shared last = left(client);
        if (last != null) {
            last.view.close(); // can wait for heaps, and therefore runs without the lock
        }
    }

    private synchronized Shared left(ClientId client) {
        Shared shared = views.get(client);
        return --shared.users == 0 ? views.remove(client) : null;
    }
}
