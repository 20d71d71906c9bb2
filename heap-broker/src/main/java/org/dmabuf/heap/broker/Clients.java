// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.HeapBroker;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceRegistration;
import org.osgi.framework.SynchronousBundleListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives each using bundle its own broker, and takes back what a bundle has open when it has stopped. Not earlier: while
 * it stops it still uses its buffers, and getting and ungetting the service means nothing, the shell does it for each
 * command.
 */
final class Clients implements ServiceFactory<HeapBroker>, SynchronousBundleListener {
    private static final Logger LOG = LoggerFactory.getLogger(Clients.class);

    private final Allocator allocator;
    private final HeapListing listing;
    private final Map<Bundle, ClientBroker> brokers = new ConcurrentHashMap<>();

    Clients(Allocator allocator, HeapListing listing) {
        this.allocator = allocator;
        this.listing = listing;
    }

    /** {@return the client that a bundle is} */
    Client of(Bundle bundle) {
        return broker(bundle).client();
    }

    @Override
    public HeapBroker getService(Bundle bundle, ServiceRegistration<HeapBroker> registration) {
        return broker(bundle);
    }

    @Override
    public void ungetService(Bundle bundle, ServiceRegistration<HeapBroker> registration, HeapBroker service) {
        // Its buffers are the bundle's until it has stopped.
    }

    @Override
    public void bundleChanged(BundleEvent event) {
        if (event.getType() == BundleEvent.STOPPED) {
            ClientBroker broker = brokers.remove(event.getBundle());
            if (broker != null) {
                stop(broker.client(), "bundle " + broker.client().bundle() + " has stopped");
            }
        }
    }

    /** Takes back everything from everybody: the broker stops. */
    void stopAll() {
        for (Bundle bundle : brokers.keySet()) {
            ClientBroker broker = brokers.remove(bundle);
            if (broker != null) {
                stop(broker.client(), "the broker has stopped");
            }
        }
    }

    private ClientBroker broker(Bundle bundle) {
        return brokers.computeIfAbsent(
                bundle,
                user -> new ClientBroker(
                        new Client(user.getSymbolicName()), user.getBundleContext(), this, allocator, listing));
    }

    private static void stop(Client client, String why) {
        int left = client.stop(why);
        if (left > 0) {
            LOG.warn("{}: took back {} references, CPU accesses, descriptors and publications of bundle {}", why, left,
                    client.bundle());
        }
    }
}
