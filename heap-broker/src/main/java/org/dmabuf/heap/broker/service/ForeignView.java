// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.text.Printable;

/** Broker of a client outside the framework. A bundle opens it on behalf of that client. */
final class ForeignView extends ClientBroker implements ClientView {
    private final ClientBroker opener;
    private final BrokerServices services;
    private final AtomicBoolean left = new AtomicBoolean();

    ForeignView(ClientBroker opener, Client client, BrokerServices services) {
        super(client, opener.context(), opener.clients(), services);
        this.opener = opener;
        this.services = services;
    }

    @Override
    public ClientId client() {
        return owner().id();
    }

    @Override
    public void close() {
        Set<Reaper> used = new HashSet<>();
        takeBack("the view for " + Printable.of(client().toString()) + " is closed", used);
        Reaper.settle(used);
    }

    /** If this fails, the view stays registered with its opener, and the opener's stop tries again. */
    @Override
    int takeBack(String why, Set<Reaper> used) {
        int count = super.takeBack(why, used);
        abandon();
        return count;
    }

    /** Ends the view, which has no open resources. */
    void abandon() {
        if (left.compareAndSet(false, true)) {
            boolean ended = false;
            try {
                services.ledger().leave(owner().account());
                ended = true;
            } finally {
                if (!ended) {
                    left.set(false); // the opener's stop tries again
                }
            }
        }
        opener.forget(this);
    }
}
