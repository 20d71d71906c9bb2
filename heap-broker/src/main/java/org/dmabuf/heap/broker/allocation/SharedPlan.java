// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.List;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.constraint.Demand;

/**
 * Plan for any client: a request, the demands of its devices, and the latest solution. It is solved again when the
 * heaps have changed. Two threads may then solve it twice, with the same result.
 */
final class SharedPlan {
    private final Planner planner;
    private final AllocationRequest request;
    private final List<Demand> demands;
    private volatile SolvedPlan latest;

    /**
     * Creates a plan that is not solved yet.
     *
     * @param planner solves it
     * @param request the request without devices and demands
     * @param demands the demands of the devices and of the client
     */
    SharedPlan(Planner planner, AllocationRequest request, List<Demand> demands) {
        this.planner = planner;
        this.request = request;
        this.demands = demands;
    }

    List<Demand> demands() {
        return demands;
    }

    /**
     * Returns the solution for the heaps of this moment.
     *
     * @throws HeapException if no heap meets the demands
     */
    SolvedPlan current() {
        return current(planner.routes());
    }

    /**
     * Returns the solution for the heaps of certain routes.
     *
     * @throws HeapException if no heap meets the demands
     */
    SolvedPlan current(RoutingTable routes) {
        SolvedPlan solved = latest;
        if (solved == null || !solved.holds(routes)) {
            solved = planner.solve(request, demands, routes);
            latest = solved;
        }
        return solved;
    }

    /** {@return the heaps that the solution for this moment does not use, each with the reason} */
    List<Attempt> refusals() {
        RoutingTable routes = planner.routes();
        return planner.refusals(request, demands, routes, current(routes));
    }
}
