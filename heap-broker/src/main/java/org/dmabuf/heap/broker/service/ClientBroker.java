// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.util.List;
import java.util.function.Function;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.broker.allocation.Adoption;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.Client;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;

/**
 * The broker service of one bundle. It lives from a start of the bundle to its stop, however often the bundle gets and
 * ungets the service. The bundle's context identifies that time.
 */
public final class ClientBroker implements HeapBroker {
    private final Client client;
    private final BundleContext context;
    private final Function<Bundle, Client> clients;
    private final Allocator allocator;
    private final Adoption adoption;
    private final HeapListing listing;

    public ClientBroker(
            Client client,
            BundleContext context,
            Function<Bundle, Client> clients,
            Allocator allocator,
            Adoption adoption,
            HeapListing listing) {
        this.client = client;
        this.context = context;
        this.clients = clients;
        this.allocator = allocator;
        this.adoption = adoption;
        this.listing = listing;
    }

    public Client client() {
        return client;
    }

    BundleContext context() {
        return context;
    }

    @Override
    public DmaBuf allocate(AllocationRequest request) {
        return allocator.allocate(client, request);
    }

    @Override
    public DmaBuf adopt(OwnedFd descriptor, String name) {
        return adoption.adopt(client, descriptor, name);
    }

    @Override
    public List<HeapInfo> heaps() {
        client.requireActive();
        return listing.heaps();
    }

    @Override
    public Publication publish(DmaBuf buffer, String name) {
        client.requireActive();
        if (!(buffer instanceof BufferReference reference)) {
            throw new HeapException(Errno.EINVAL, "", "only a buffer of this broker can be published, not " + buffer);
        }
        if (name.isBlank()) {
            throw new HeapException(Errno.EINVAL, reference.heapName(), "a published buffer needs a name; give one");
        }
        BufferReference kept = reference.anotherFor(client, BufferReference::new);
        PublishedBuffer published = null;
        boolean registered = false;
        try {
            published = new PublishedBuffer(client, clients, kept);
            published.register(context, name);
            registered = true;
        } finally {
            if (!registered) {
                kept.end();
            }
        }
        return client.keep(published);
    }
}
