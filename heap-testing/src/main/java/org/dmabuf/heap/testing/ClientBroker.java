// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.constraint.Demand;

/** Broker for one client. */
abstract class ClientBroker implements HeapBroker {
    private final Inventory inventory;
    private final ClientId client;
    private final String origin;
    /** Reason why the client has stopped; null before. */
    private volatile String stopped;

    ClientBroker(Inventory inventory, ClientId client, String origin) {
        this.inventory = inventory;
        this.client = client;
        this.origin = Objects.requireNonNull(origin);
    }

    Inventory inventory() {
        return inventory;
    }

    /** {@return the client to which buffers are charged} */
    public ClientId client() {
        return client;
    }

    String origin() {
        return origin;
    }

    void requireActive() {
        if (stopped != null) {
            throw new IllegalStateException(stopped);
        }
    }

    @Override
    public DmaBuf allocate(AllocationRequest request) {
        return allocate(request, 1).getFirst();
    }

    @Override
    public List<DmaBuf> allocate(AllocationRequest request, int count) {
        Objects.requireNonNull(request, "invalid request = null: expected an AllocationRequest");
        if (count < 1 || count > MOST_AT_ONCE) {
            throw new IllegalArgumentException("invalid count = " + count + ": expected 1 to " + MOST_AT_ONCE);
        }
        return request.devices().isEmpty() && request.demands().isEmpty()
                ? inventory.allocate(this, request, count)
                : plan(request).allocate(count);
    }

    @Override
    public AllocationPlan plan(AllocationRequest request) {
        requireActive();
        InMemoryPlan plan = new InMemoryPlan(this, request, inventory.demands(request));
        plan.heaps(); // fails if no heap meets the demands
        return plan;
    }

    @Override
    public List<Demand> demandsOf(String device) {
        requireActive();
        return inventory.demandsOf(device);
    }

    @Override
    public DmaBuf adopt(OwnedFd descriptor, String name) {
        requireActive();
        Optional<String> checked = AllocationRequest.of(1).withName(name).name();
        return inventory.adopt(this, descriptor, checked);
    }

    @Override
    public OwnedFd own(int descriptor) {
        requireActive();
        return OwnedFd.of(descriptor, inventory::closeDescriptor);
    }

    @Override
    public List<HeapInfo> heaps() {
        requireActive();
        return inventory.infos();
    }

    @Override
    public Publication publish(DmaBuf buffer, String name, Access granted) {
        requireActive();
        if (!(buffer instanceof Reference reference) || reference.client().inventory() != inventory) {
            throw new IllegalArgumentException("invalid buffer = " + buffer + ": expected one of this broker");
        }
        if (name.isBlank()) {
            throw new IllegalArgumentException("invalid name = '" + name + "': expected a text");
        }
        if (granted == Access.WRITE) {
            throw new IllegalArgumentException("invalid granted = WRITE: expected READ or READ_WRITE");
        }
        reference.requireGranted(granted, "published for writing");
        return inventory.open(new Published(reference.memory(), this, name, granted), reference);
    }

    @Override
    public ClientView openView(ClientId id, String from) {
        requireActive();
        if (id.isBundle()) {
            throw new IllegalArgumentException(
                    "invalid client = " + id + ": expected a client of another kind than bundle");
        }
        return inventory.open(new View(inventory, id, from, this));
    }

    /** Closes every resource that is open through this broker and through the views that it opened. */
    final void takeBack(String why) {
        stopped = why;
        inventory.viewsOf(this).forEach(View::close);
        inventory.usesOf(this).forEach(Use::takeBack);
    }
}
