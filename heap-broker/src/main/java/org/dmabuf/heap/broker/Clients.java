// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.HeapBroker;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
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

    private final Ledger ledger;
    private final Allocator allocator;
    private final Adoption adoption;
    private final HeapListing listing;
    private final Leaks leaks;
    private final Map<Bundle, ClientBroker> brokers = new ConcurrentHashMap<>();
    private volatile boolean stopped;

    Clients(Ledger ledger, Allocator allocator, Adoption adoption, HeapListing listing, Leaks leaks) {
        this.ledger = ledger;
        this.allocator = allocator;
        this.adoption = adoption;
        this.listing = listing;
        this.leaks = leaks;
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
        // Its buffers are the bundle's until it has stopped. The framework ungets for a bundle that it stops.
        takeBackFromStopped();
    }

    @Override
    public void bundleChanged(BundleEvent event) {
        takeBackFromStopped();
    }

    /**
     * Looks at every client, whatever the event: Felix fires no STOPPED for a bundle whose activator fails in stop, and
     * fires it late enough that another thread may have started the bundle again. A bundle has a context from its start
     * until its activator has stopped, and another one the next time.
     */
    private void takeBackFromStopped() {
        brokers.forEach((bundle, broker) -> {
            if (bundle.getBundleContext() != broker.context() && brokers.remove(bundle, broker)) {
                stop(broker.client(), "bundle " + broker.client().bundle() + " has stopped");
            }
        });
    }

    /** Takes back everything from everybody: the broker stops. */
    void stopAll() {
        stopped = true;
        for (Bundle bundle : brokers.keySet()) {
            ClientBroker broker = brokers.remove(bundle);
            if (broker != null) {
                stop(broker.client(), "the broker has stopped");
            }
        }
    }

    private ClientBroker broker(Bundle bundle) {
        while (true) {
            ClientBroker broker = brokers.computeIfAbsent(bundle, this::newBroker);
            if (stopped) { // looked at after it is in the map, where stopAll finds it
                throw new IllegalStateException("the broker has stopped");
            }
            if (broker.context() == bundle.getBundleContext()) {
                return broker;
            }
            takeBackFromStopped();
        }
    }

    private ClientBroker newBroker(Bundle bundle) {
        BundleContext context = bundle.getBundleContext();
        if (context == null) {
            throw new IllegalStateException("bundle " + bundle.getSymbolicName() + " has stopped");
        }
        Client client = new Client(ledger.enter(name(bundle)), bundle.getLocation(), leaks);
        return new ClientBroker(client, context, this, allocator, adoption, listing);
    }

    /** A bundle of the first manifest version has none. */
    static String name(Bundle bundle) {
        String name = bundle.getSymbolicName();
        return name == null ? "" : name;
    }

    private void stop(Client client, String why) {
        int left = client.stop(why);
        ledger.leave(client.account());
        if (left > 0) {
            LOG.warn("{}: took back {} references, CPU accesses, descriptors and publications of bundle {}", why, left,
                    client.bundle());
        }
    }
}
