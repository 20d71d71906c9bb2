// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.OpenResource;
import org.dmabuf.heap.broker.buffer.SharedBuffer;
import org.dmabuf.heap.broker.release.Reaper;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.PrototypeServiceFactory;
import org.osgi.framework.ServiceRegistration;

/**
 * A buffer that is published as an OSGi service. Getting the service takes a reference and ungetting drops it, as
 * dma_buf_get and dma_buf_put do. The framework ungets for a bundle that stops.
 */
public final class PublishedBuffer extends OpenResource implements PrototypeServiceFactory<DmaBuf>, Publication {
    /** A reference that ends with the unget, and not with a close by code that did not open it. */
    private static final class Borrowed extends BufferReference {
        Borrowed(Client client, SharedBuffer buffer) {
            super(client, buffer);
        }

        @Override
        public void close() {
            // The unget drops it.
        }
    }

    private final Client client;
    private final Function<Bundle, Client> clients;
    private final BufferReference kept;
    /** References that were got and not ungot: Felix forgets one that is got while the service goes. */
    private final Set<Borrowed> borrowed = ConcurrentHashMap.newKeySet();

    private volatile ServiceRegistration<DmaBuf> registration;
    private volatile boolean closed;

    /**
     * Creates a publication of a buffer.
     *
     * @param client the client that publishes
     * @param clients finds the client of a bundle
     * @param kept the publication's own reference
     */
    public PublishedBuffer(Client client, Function<Bundle, Client> clients, BufferReference kept) {
        this.client = client;
        this.clients = clients;
        this.kept = kept;
    }

    @SuppressWarnings("unchecked") // the framework knows a factory by no other type
    public void register(BundleContext context, String name) {
        registration = (ServiceRegistration<DmaBuf>) context.registerService(
                DmaBuf.class.getName(),
                this,
                FrameworkUtil.asDictionary(Map.of(
                        HeapProperties.BUFFER_NAME, name,
                        HeapProperties.BUFFER_SIZE, kept.size(),
                        HeapProperties.NAME, kept.heapName())));
    }

    @Override
    public DmaBuf getService(Bundle bundle, ServiceRegistration<DmaBuf> registered) {
        Borrowed reference = kept.duplicateFor(clients.apply(bundle), Borrowed::new);
        boolean got = false;
        try {
            borrowed.add(reference);
            got = !closed;
        } finally {
            if (!got) {
                reference.end();
            }
        }
        if (!got) {
            throw new IllegalStateException("the publication of a " + kept + " is closed");
        }
        return reference;
    }

    /** Drops the reference without waiting: the thread is the framework's, possibly for a bundle that stops. */
    @Override
    public void ungetService(Bundle bundle, ServiceRegistration<DmaBuf> registered, DmaBuf service) {
        ((Borrowed) service).reclaim();
        borrowed.remove(service);
    }

    @Override
    public void close() {
        withdraw();
        kept.end();
        client.forget(this);
    }

    /** Ends the service and every reference that was got through it. The publication's own stays. */
    private void withdraw() {
        try {
            registration.unregister();
        } catch (IllegalStateException e) {
            // Closed before, or the framework was first, because the bundle has stopped.
        } finally {
            closed = true;
            for (Borrowed reference : borrowed) {
                reference.reclaim();
            }
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
        return "published " + kept;
    }
}
