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
 * Factory of the broker service: each bundle gets its own service object. When a bundle has stopped, all its open
 * resources are taken back. This does not happen earlier, because a bundle still uses its buffers while it stops. An
 * unget alone has no effect, because the shell gets and ungets the service for each command.
 */
public final class Clients implements ServiceFactory<HeapBroker>, SynchronousBundleListener {
    private static final Logger LOG = LoggerFactory.getLogger(Clients.class);

    private final BrokerServices services;
    private final Map<Bundle, ClientBroker> brokers = new ConcurrentHashMap<>();
    private volatile boolean stopped;

    public Clients(BrokerServices services) {
        this.services = services;
    }

    public Client of(Bundle bundle) {
        return broker(bundle).owner();
    }

    @Override
    public HeapBroker getService(Bundle bundle, ServiceRegistration<HeapBroker> registration) {
        return broker(bundle);
    }

    @Override
    public void ungetService(Bundle bundle, ServiceRegistration<HeapBroker> registration, HeapBroker service) {
        // The buffers belong to the bundle until it has stopped, and the framework ungets its services at that time.
        takeBackFromStopped();
    }

    @Override
    public void bundleChanged(BundleEvent event) {
        takeBackFromStopped();
    }

    /**
     * Checks every client with each event. Felix fires no STOPPED event for a bundle whose activator fails in stop. It
     * also fires the event so late that another thread may have started the bundle again. A bundle has a context from
     * its start until its activator has stopped, and a different context after the next start.
     */
    private void takeBackFromStopped() {
        Set<Reaper> used = new HashSet<>();
        brokers.forEach((bundle, broker) -> {
            if (bundle.getBundleContext() != broker.context()) {
                stop(
                        bundle,
                        broker,
                        "bundle " + Printable.of(broker.owner().id().toString()) + " has stopped",
                        used);
            }
        });
        Reaper.settle(used);
    }

    /**
     * Takes back the open resources of all clients, because the broker stops. Does not wait until the heaps have
     * released the memory.
     */
    public void stopAll() {
        stopped = true;
        Set<Reaper> used = new HashSet<>();
        brokers.forEach((bundle, broker) -> stop(bundle, broker, "the broker has stopped", used));
    }

    private ClientBroker broker(Bundle bundle) {
        while (true) {
            ClientBroker broker = brokers.computeIfAbsent(bundle, this::newBroker);
            if (stopped) { // checked after the insertion, since stopAll walks the map after it sets this
                throw new IllegalStateException("the broker has stopped");
            }
            if (broker.context() == bundle.getBundleContext()) {
                return broker;
            }
            takeBackFromStopped();
            if (brokers.get(bundle) == broker) {
                throw new IllegalStateException("failed to take back all that bundle "
                        + Printable.of(bundle.getSymbolicName())
                        + " had open before its last stop; get the service HeapBroker again");
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

    /**
     * Returns the symbolic name of a bundle. It is empty for a bundle with manifest version 1, which has no symbolic
     * name.
     */
    public static String name(Bundle bundle) {
        String name = bundle.getSymbolicName();
        return name == null ? "" : name;
    }

    /**
     * Takes back a client's open resources, without waiting until the heaps have released the memory. If that fails,
     * the client stays in the map, and the next event tries again.
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
        } catch (RuntimeException | Error e) { // the resources of the other clients must still be taken back
            LOG.error(
                    "{}: failed to take back all resources of bundle {}; the next bundle event tries again",
                    why,
                    Printable.of(broker.owner().id().toString()),
                    e);
        }
    }
}
