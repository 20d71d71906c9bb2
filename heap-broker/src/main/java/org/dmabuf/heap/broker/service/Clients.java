// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceRegistration;
import org.osgi.framework.SynchronousBundleListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The factory of the broker service: each bundle that uses the broker gets its own. When a bundle has stopped, all its
 * open resources are taken back. Not earlier: while it stops it still uses its buffers. An unget alone means nothing:
 * the shell gets and ungets for each command.
 */
public final class Clients implements ServiceFactory<HeapBroker>, SynchronousBundleListener {
    private static final Logger LOG = LoggerFactory.getLogger(Clients.class);

    private final BrokerServices services;
    private final Map<Bundle, ClientBroker> brokers = new ConcurrentHashMap<>();
    private volatile boolean stopped;

    public Clients(BrokerServices services) {
        this.services = services;
    }

    /** {@return the client of a bundle} */
    public Client of(Bundle bundle) {
        return broker(bundle).owner();
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
     * Checks every client, whatever the event. Felix fires no STOPPED for a bundle whose activator fails in stop. It
     * fires so late that another thread may have started the bundle again. A bundle has a context from its start until
     * its activator has stopped, and another one the next time.
     */
    private void takeBackFromStopped() {
        Set<Reaper> used = new HashSet<>();
        brokers.forEach((bundle, broker) -> {
            if (bundle.getBundleContext() != broker.context()) {
                stop(bundle, broker, "bundle " + Printable.of(broker.owner().id().toString()) + " has stopped", used);
            }
        });
        Reaper.settle(used);
    }

    /** Takes back everything from all clients, because the broker stops. Does not wait until the heaps have it back. */
    public void stopAll() {
        stopped = true;
        Set<Reaper> used = new HashSet<>();
        brokers.forEach((bundle, broker) -> stop(bundle, broker, "the broker has stopped", used));
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
            if (brokers.get(bundle) == broker) {
                throw new IllegalStateException("not everything that bundle " + Printable.of(bundle.getSymbolicName())
                        + " had before its last stop could be taken back yet; get the service HeapBroker again");
            }
        }
    }

    private ClientBroker newBroker(Bundle bundle) {
        BundleContext context = bundle.getBundleContext();
        if (context == null) {
            throw new IllegalStateException("bundle " + Printable.of(bundle.getSymbolicName()) + " has stopped");
        }
        ClientId id = ClientId.ofBundle(name(bundle), bundle.getLocation());
        Client client = new Client(services.ledger().enter(id), services.leaks());
        return new ClientBroker(client, context, this::of, services);
    }

    /** Returns the symbolic name of a bundle; empty for a bundle of the first manifest version, which has none. */
    public static String name(Bundle bundle) {
        String name = bundle.getSymbolicName();
        return name == null ? "" : name;
    }

    /**
     * Takes back a client's open resources, without waiting until the heaps have them. When that fails, the client
     * stays in the map and the next event tries again.
     */
    private void stop(Bundle bundle, ClientBroker broker, String why, Set<Reaper> used) {
        try {
            int left = broker.takeBack(why, used);
            if (brokers.remove(bundle, broker)) {
                services.ledger().leave(broker.owner().account());
            }
            if (left > 0) {
                LOG.warn(
                        "{}: took back {} references, CPU accesses, descriptors and publications of bundle {}",
                        why,
                        left,
                        Printable.of(broker.owner().id().toString()));
            }
        } catch (RuntimeException | Error e) { // the other clients' resources are still to be taken back
            LOG.error("{}: not everything of that bundle was taken back; it is tried again", why, e);
        }
    }
}
