// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.allocation.Planner;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.constraint.Demand;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;

/**
 * Broker service of one client. The broker of a bundle lives from one start of the bundle to its stop, however
 * often the bundle gets and ungets the service. The bundle's context identifies this period. A {@link ForeignView}
 * lives until it is closed, or until the bundle that opened it stops.
 */
public class ClientBroker implements HeapBroker {
    private final Client client;
    private final BundleContext context;
    private final Function<Bundle, Client> clients;
    private final BrokerServices services;
    /** The open views that were opened through this broker. */
    private final Set<ForeignView> views = ConcurrentHashMap.newKeySet();

    ClientBroker(Client client, BundleContext context, Function<Bundle, Client> clients, BrokerServices services) {
        this.client = client;
        this.context = context;
        this.clients = clients;
        this.services = services;
    }

    /** {@return the client of this broker; the name client() belongs to ClientView and returns an identity} */
    public Client owner() {
        return client;
    }

    BundleContext context() {
        return context;
    }

    @Override
    public DmaBuf allocate(AllocationRequest request) {
        return Planner.needed(request)
                ? services.planner().allocate(client, request)
                : services.allocator().allocate(client, request);
    }

    @Override
    public List<DmaBuf> allocate(AllocationRequest request, int count) {
        Objects.requireNonNull(request);
        Allocator.requireCount(count);
        return BufferReference.listed(
                Planner.needed(request)
                        ? services.planner().allocate(client, request, count)
                        : services.allocator().allocate(client, request, count));
    }

    @Override
    public AllocationPlan plan(AllocationRequest request) {
        return services.planner().plan(client, Objects.requireNonNull(request));
    }

    @Override
    public List<Demand> demandsOf(String device) {
        AllocationRequest.of(1).forDevices(device); // checks the name
        return services.planner().demands(client, device);
    }

    @Override
    public DmaBuf adopt(OwnedFd descriptor, String name) {
        return services.adoption().adopt(client, descriptor, name);
    }

    @Override
    public OwnedFd own(int descriptor) {
        client.requireActive();
        return OwnedFd.of(descriptor, services.descriptors()::close);
    }

    @Override
    public List<HeapInfo> heaps() {
        client.requireActive();
        return services.listing().heaps(services.ledger().rules(), client.id());
    }

    @Override
    public Publication publish(DmaBuf buffer, String name, Access granted) {
        client.requireActive();
        if (!(buffer instanceof BufferReference reference)) {
            throw new IllegalArgumentException("invalid buffer = " + buffer + ": expected one of this broker");
        }
        if (name.isBlank()) {
            throw new IllegalArgumentException("invalid name = '" + name + "': expected a text");
        }
        if (granted == Access.WRITE) {
            throw new IllegalArgumentException("invalid granted = WRITE: expected READ or READ_WRITE");
        }
        if (granted.writes() && !reference.granted().writes()) {
            throw HeapException.of(
                    Errno.EACCES,
                    reference.heapName(),
                    "a read-only reference to a " + reference + " cannot be published for writing; publish it with"
                            + " READ");
        }
        BufferReference kept = reference.anotherFor(client, granted);
        BufferPublication published = null;
        boolean registered = false;
        try {
            published = new BufferPublication(client, clients, kept, name);
            published.register(context);
            registered = true;
        } finally {
            if (!registered) {
                kept.close();
            }
        }
        return client.keep(published);
    }

    @Override
    public ClientView openView(ClientId id, String origin) {
        client.requireActive();
        Objects.requireNonNull(origin);
        if (id.isBundle()) {
            throw new IllegalArgumentException(
                    "invalid client = " + id + ": expected a client of another kind than bundle");
        }
        services.ledger().rules().requireViewsAllowed(client.id());
        ClientAccount account = services.ledger().enter(id);
        ForeignView view = null;
        boolean open = false;
        try {
            view = new ForeignView(this, new Client(account, origin, services.leaks()), services);
            views.add(view);
            client.requireActive(); // a stop before views.add has not seen this view
            open = true;
            return view;
        } finally {
            if (view == null) {
                services.ledger().leave(account);
            } else if (!open) {
                view.abandon();
            }
        }
    }

    Function<Bundle, Client> clients() {
        return clients;
    }

    void forget(ForeignView view) {
        views.remove(view);
    }

    /**
     * Ends all resources that are open through this broker and through the views that it opened.
     *
     * @param why the reason that the exception of a later call gives
     * @param used receives the reapers to which work was submitted
     * @return the number of resources that were open
     */
    int takeBack(String why, Set<Reaper> used) {
        int left = 0;
        RuntimeException failure = null;
        try {
            left = client.takeBack(why, used); // first, so that no more views can be opened
        } catch (RuntimeException e) { // the resources of the views must still be ended
            failure = e;
        }
        for (ForeignView view : views) {
            try {
                left += view.takeBack(why, used);
            } catch (RuntimeException e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
        return left;
    }
}
