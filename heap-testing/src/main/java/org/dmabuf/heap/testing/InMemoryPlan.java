// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.List;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.constraint.Demand;

/** Plan of one client. Each call solves it with the heaps of that moment, and with the demands of its beginning. */
final class InMemoryPlan implements AllocationPlan {
    private final ClientBroker client;
    private final AllocationRequest request;
    private final List<Demand> demands;

    InMemoryPlan(ClientBroker client, AllocationRequest request, List<Demand> demands) {
        this.client = client;
        this.request = request;
        this.demands = demands;
    }

    private AllocationRequest shaped() {
        return client.inventory().shape(request, demands);
    }

    @Override
    public AllocationRequest request() {
        return request;
    }

    @Override
    public List<Demand> demands() {
        return demands;
    }

    @Override
    public long size() {
        return shaped().size();
    }

    @Override
    public long buffers() {
        return new Demands(demands, request.size()).buffers();
    }

    @Override
    public List<String> heaps() {
        return shaped().heaps();
    }

    @Override
    public List<Attempt> refusals() {
        List<String> used = heaps();
        return client.heaps().stream()
                .map(HeapInfo::name)
                .filter(heap -> !used.contains(heap))
                .map(heap -> new Attempt(heap, Errno.ENODEV, "it does not meet the request and all demands"))
                .toList();
    }

    @Override
    public DmaBuf allocate() {
        return allocate(1).getFirst();
    }

    @Override
    public List<DmaBuf> allocate(int count) {
        client.requireActive();
        return client.allocate(shaped(), count);
    }
}
