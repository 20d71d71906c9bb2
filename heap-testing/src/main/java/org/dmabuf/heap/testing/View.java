// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;

/** Broker for a client outside the framework. */
final class View extends ClientBroker implements ClientView {
    private final ClientBroker opener;
    private final Site site = Site.here();

    View(Inventory inventory, ClientId client, String origin, ClientBroker opener) {
        super(inventory, client, origin);
        this.opener = opener;
    }

    ClientBroker opener() {
        return opener;
    }

    @Override
    public void close() {
        takeBack("the " + this + " is closed; open another");
        inventory().forget(this);
    }

    String described() {
        return this + ", " + site;
    }

    @Override
    public String toString() {
        return "view for " + client();
    }
}
