// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.List;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.broker.constraint.MergedDemands;
import org.dmabuf.heap.broker.heap.RoutingTable;

/**
 * Solution of a plan, which holds as long as the routes stay the same.
 *
 * @param moment of the routes for which it was found
 * @param demands the merged demands
 * @param heaps names of the heaps to ask, in order
 * @param shaped the planned request with the size, the alignment, the export and the heaps of this solution
 */
record SolvedPlan(Object moment, MergedDemands demands, List<String> heaps, AllocationRequest shaped) {
    static SolvedPlan of(RoutingTable routes, MergedDemands demands, List<String> heaps, AllocationRequest request) {
        AllocationRequest shaped = request.withSize(demands.size())
                .withAlignment(Math.max(request.alignment(), demands.alignment()))
                .withHeaps(heaps.toArray(String[]::new));
        boolean protects = demands.readOnly() && request.export() == ExportMode.READ_WRITE;
        return new SolvedPlan(
                routes.moment(), demands, heaps, protects ? shaped.withExport(ExportMode.READ_ONLY) : shaped);
    }

    /** {@return whether it holds for these routes} */
    boolean holds(RoutingTable routes) {
        return moment == routes.moment();
    }

    /**
     * {@return the shaped request for a request that differs from the planned one in its name and timeout at most}
     */
    AllocationRequest shape(AllocationRequest request) {
        AllocationRequest named = request.name().equals(shaped.name())
                ? shaped
                : request.name().map(shaped::withName).orElse(shaped);
        return request.timeout().equals(named.timeout()) ? named : named.withTimeout(request.timeout());
    }
}
