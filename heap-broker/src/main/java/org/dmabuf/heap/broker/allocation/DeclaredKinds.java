// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;

/**
 * Kinds of demand that the serving heaps declare. A demand of a kind that no heap declares, or that two heaps declare
 * differently, stays unknown, and its reason states that.
 */
final class DeclaredKinds {
    private final List<RegisteredHeap> heaps;

    private DeclaredKinds(List<RegisteredHeap> heaps) {
        this.heaps = heaps;
    }

    static DeclaredKinds of(RoutingTable routes) {
        return new DeclaredKinds(
                IntStream.range(0, routes.size()).mapToObj(routes::inOrder).toList());
    }

    /** {@return the demands, those of unknown kinds with the declared kinds} */
    List<Demand> resolve(List<Demand> demands) {
        if (demands.stream().noneMatch(demand -> demand.kind().isUnknown())) {
            return demands;
        }
        return demands.stream()
                .map(demand -> demand.kind().isUnknown() ? resolve(demand) : demand)
                .toList();
    }

    private Demand resolve(Demand demand) {
        String name = demand.kind().name();
        Set<ConstraintKind> declared =
                heaps.stream().flatMap(heap -> named(heap, name)).collect(Collectors.toSet());
        if (declared.isEmpty()) {
            return because(demand, "no serving heap declares the kind " + name);
        }
        if (declared.size() > 1) {
            return because(
                    demand,
                    "heaps declare the kind " + name + " differently: "
                            + heaps.stream()
                                    .filter(heap -> named(heap, name).findAny().isPresent())
                                    .map(RegisteredHeap::name)
                                    .collect(Collectors.joining(", ")));
        }
        try {
            return Demand.of(
                    demand.who(), declared.iterator().next(), demand.value().toString(), demand.why());
        } catch (IllegalArgumentException e) {
            return because(demand, e.getMessage());
        }
    }

    private static Stream<ConstraintKind> named(RegisteredHeap heap, String name) {
        return heap.description().kinds().stream().filter(kind -> kind.name().equals(name));
    }

    private static Demand because(Demand demand, String reason) {
        return Demand.of(demand.who(), demand.value(), DemandSources.joined(demand.why(), reason));
    }
}
