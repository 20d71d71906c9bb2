// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.HeapBroker;

/**
 * Views of the broker: one for each client and origin, which all connections with both share. Any thread may call any
 * method.
 */
final class Views {
    /** A client, with its process and the place where it runs. */
    private record Key(ClientId client, String origin) {}

    /** View of one key, with the number of its connections. */
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
    private final Map<Key, Shared> views = new HashMap<>();

    Views(HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Opens the view of a client with an origin, or returns the one that is open.
     *
     * @return the view, for which the caller calls {@link #leave} once
     * @throws org.dmabuf.heap.HeapRefusedException when the broker permits no views
     */
    synchronized Entered enter(ClientId client, String origin) {
        Key key = new Key(client, origin);
        Shared shared = views.get(key);
        boolean first = shared == null;
        if (first) {
            shared = new Shared(broker.openView(client, origin));
            views.put(key, shared);
        }
        shared.users++;
        return new Entered(shared.view, first);
    }

    /** Closes the view of a client with an origin after its last connection. */
    void leave(ClientId client, String origin) {
        Shared last = left(new Key(client, origin));
        if (last != null) {
            last.view.close(); // can wait for heaps, and therefore runs without the lock
        }
    }

    private synchronized Shared left(Key key) {
        Shared shared = views.get(key);
        return --shared.users == 0 ? views.remove(key) : null;
    }
}
