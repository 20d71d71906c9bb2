// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;

/**
 * Kinds of demand that the serving heaps declare. A demand of a kind that no heap declares, or that two heaps declare
 * differently, stays unknown, and its reason states that.
 */
final class DeclaredKinds {
    private final Set<ConstraintKind> kinds;

    private DeclaredKinds(Set<ConstraintKind> kinds) {
        this.kinds = kinds;
    }

    static DeclaredKinds of(List<InMemoryHeap> heaps) {
        return new DeclaredKinds(
                heaps.stream().flatMap(heap -> heap.kinds().stream()).collect(Collectors.toSet()));
    }

    /** {@return the demands, those of unknown kinds with the declared kinds} */
    List<Demand> resolve(List<Demand> demands) {
        return demands.stream()
                .map(demand -> demand.kind().isUnknown() ? resolve(demand) : demand)
                .toList();
    }

    private Demand resolve(Demand demand) {
        String name = demand.kind().name();
        List<ConstraintKind> declared =
                kinds.stream().filter(kind -> kind.name().equals(name)).toList();
        if (declared.isEmpty()) {
            return because(demand, "no serving heap declares the kind " + name);
        }
        if (declared.size() > 1) {
            return because(demand, "heaps declare the kind " + name + " differently");
        }
        try {
            return Demand.of(demand.who(), declared.getFirst(), demand.value().toString(), demand.why());
        } catch (IllegalArgumentException e) {
            return because(demand, e.getMessage());
        }
    }

    private static Demand because(Demand demand, String reason) {
        String why = demand.why().isEmpty() ? reason : demand.why() + "; " + reason;
        return Demand.of(demand.who(), demand.value(), why);
    }
}
