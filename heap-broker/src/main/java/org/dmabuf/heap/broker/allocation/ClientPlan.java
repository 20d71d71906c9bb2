// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.List;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.constraint.Demand;

/** Plan of one client. */
final class ClientPlan implements AllocationPlan {
    private final Client client;
    private final AllocationRequest request;
    private final SharedPlan plan;
    private final Allocator allocator;

    ClientPlan(Client client, AllocationRequest request, SharedPlan plan, Allocator allocator) {
        this.client = client;
        this.request = request;
        this.plan = plan;
        this.allocator = allocator;
    }

    @Override
    public AllocationRequest request() {
        return request;
    }

    @Override
    public List<Demand> demands() {
        return plan.demands();
    }

    @Override
    public long size() {
        return plan.current().demands().size();
    }

    @Override
    public long buffers() {
        return plan.current().demands().buffers();
    }

    @Override
    public List<String> heaps() {
        return plan.current().heaps();
    }

    @Override
    public List<Attempt> refusals() {
        return plan.refusals();
    }

    @Override
    public DmaBuf allocate() {
        return allocator.allocate(client, plan, request);
    }

    @Override
    public List<DmaBuf> allocate(int count) {
        return BufferReference.listed(allocator.allocate(client, plan, request, Allocator.requireCount(count)));
    }

    @Override
    public String toString() {
        return "plan of a " + request;
    }
}
