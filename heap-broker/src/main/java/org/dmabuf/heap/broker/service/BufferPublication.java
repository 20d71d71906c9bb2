// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.util.Map;
import java.util.function.Function;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.OpenResource;
import org.dmabuf.heap.broker.release.Reaper;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceRegistration;

/**
 * Buffer that is published as an OSGi service. It has its own reference, and opens references for the bundles that
 * get the service. Those references stay open when the publication ends.
 */
final class BufferPublication extends OpenResource implements ServiceFactory<PublishedBuffer>, Publication {
    private final Client client;
    private final Function<Bundle, Client> clients;
    private final BufferReference kept;
    private final String name;

    private volatile ServiceRegistration<PublishedBuffer> registration;

    /**
     * Creates a publication of a buffer.
     *
     * @param client the client that publishes
     * @param clients returns the client of a bundle
     * @param kept the publication's own reference, with the access that the publisher grants
     * @param name the name under which bundles find it
     */
    BufferPublication(Client client, Function<Bundle, Client> clients, BufferReference kept, String name) {
        this.client = client;
        this.clients = clients;
        this.kept = kept;
        this.name = name;
    }

    @SuppressWarnings("unchecked") // registration by class name returns an untyped registration
    void register(BundleContext context) {
        registration = (ServiceRegistration<PublishedBuffer>) context.registerService(
                PublishedBuffer.class.getName(),
                this,
                FrameworkUtil.asDictionary(Map.of(
                        HeapProperties.BUFFER_NAME, name,
                        HeapProperties.BUFFER_SIZE, kept.size(),
                        HeapProperties.BUFFER_ACCESS, kept.granted().name(),
                        HeapProperties.NAME, kept.heapName())));
    }

    @Override
    public PublishedBuffer getService(Bundle bundle, ServiceRegistration<PublishedBuffer> registered) {
        return new Offer(clients.apply(bundle));
    }

    /** Does nothing, because references that the bundle opened stay open until the bundle closes them or stops. */
    @Override
    public void ungetService(Bundle bundle, ServiceRegistration<PublishedBuffer> registered, PublishedBuffer offer) {}

    /** The publication's service object for one bundle. */
    private final class Offer implements PublishedBuffer {
        private final Client consumer;

        Offer(Client consumer) {
            this.consumer = consumer;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public long size() {
            return kept.size();
        }

        @Override
        public Access access() {
            return kept.granted();
        }

        @Override
        public DmaBuf open() {
            consumer.requireActive();
            return kept.referenceFor(consumer, kept.granted());
        }

        @Override
        public String toString() {
            return BufferPublication.this.toString();
        }
    }

    @Override
    public void close() {
        withdraw();
        kept.close();
        client.forget(this);
    }

    private void withdraw() {
        try {
            registration.unregister();
        } catch (IllegalStateException e) {
            // Already closed, or the framework unregistered it because the bundle has stopped.
        }
    }

    @Override
    public void end() {
        close();
    }

    @Override
    public Reaper reclaim() {
        Reaper has;
        try {
            withdraw();
        } finally {
            has = kept.reclaim();
        }
        client.forget(this);
        return has;
    }

    @Override
    public String toString() {
        return "publication '" + name + "' of a " + kept;
    }
}
