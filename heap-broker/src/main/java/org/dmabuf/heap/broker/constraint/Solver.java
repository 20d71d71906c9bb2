// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.constraint;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.DemandConflict;
import org.dmabuf.heap.constraint.HeapFacts;

/** Solver of one set of demands over the heaps of one moment. */
public final class Solver {
    /** Result: a {@link Solution} or a {@link Conflict}. */
    public sealed interface Outcome {}

    /**
     * Heaps that meet all demands.
     *
     * @param demands the merged demands
     * @param heaps names of heaps in the order in which they are asked, at least one
     */
    public record Solution(MergedDemands demands, List<String> heaps) implements Outcome {}

    /**
     * Demands that no heap meets together.
     *
     * @param conflict the smallest set of them that the deletion of one demand after another leaves
     * @param demands the merged demands, empty for a contradiction
     */
    public record Conflict(DemandConflict conflict, Optional<MergedDemands> demands) implements Outcome {}

    /** Two demands of a device that differ only in the place where they were read are one demand. */
    private record Key(String who, String kind, String value) {}

    private static final String PROTECTED = HeapProperties.PROTECTED;
    private static final String CONTIGUOUS = HeapProperties.CONTIGUOUS;
    private static final int SCARCEST = 2;

    private static final Comparator<Candidate> ORDER = Comparator.comparingInt(Candidate::rank)
            .thenComparingInt(heap -> scarcity(heap.facts()))
            .thenComparing(
                    Comparator.comparingLong((Candidate heap) -> heap.facts().addressSpan())
                            .reversed());

    private final long size;
    private final List<Candidate> heaps;

    private Solver(long size, List<Candidate> heaps) {
        this.size = size;
        this.heaps = heaps;
    }

    /**
     * Finds the heaps that meet all demands, or the smallest set of demands that is the obstacle. A contradiction takes
     * precedence over a shortage, because no other heap would help.
     *
     * @param demands in any order
     * @param size the requested bytes
     * @param heaps the heaps that meet the other terms of the request, and of which each serves this size
     * @return the heaps or the conflict
     * @throws IllegalArgumentException if there are no demands that could be an obstacle, and no heap meets them
     */
    public static Outcome solve(List<Demand> demands, long size, List<Candidate> heaps) {
        return new Solver(size, heaps.stream().sorted(ORDER).toList()).solve(demands);
    }

    /** Ranks memory that other clients may need more: a contiguous region, and protected memory. */
    private static int scarcity(HeapFacts facts) {
        if (facts.flag(PROTECTED)) {
            return SCARCEST;
        }
        return facts.flag(CONTIGUOUS) ? 1 : 0;
    }

    private static List<Demand> distinct(List<Demand> demands) {
        Map<Key, Demand> distinct = new LinkedHashMap<>();
        for (Demand demand : demands) {
            distinct.putIfAbsent(
                    new Key(
                            demand.who(),
                            demand.kind().toString(),
                            demand.value().toString()),
                    demand);
        }
        return new ArrayList<>(distinct.values());
    }

    private Outcome solve(List<Demand> demands) {
        Optional<MergedDemands> merged = MergedDemands.of(demands, size);
        if (merged.isPresent()) {
            List<String> serving = serving(merged.get());
            if (!serving.isEmpty()) {
                return new Solution(merged.get(), serving);
            }
        }
        return new Conflict(conflict(distinct(demands), merged.isEmpty()), merged);
    }

    private DemandConflict conflict(List<Demand> demands, boolean contradiction) {
        Predicate<List<Demand>> impossible = contradiction
                ? some -> MergedDemands.of(some, size).isEmpty()
                : some -> serving(some).isEmpty();
        List<Demand> core = core(demands, impossible);
        List<List<String>> remedies =
                core.stream().map(demand -> serving(without(demands, demand))).toList();
        return DemandConflict.of(contradiction, core, remedies);
    }

    private List<String> serving(List<Demand> demands) {
        return MergedDemands.of(demands, size).map(this::serving).orElse(List.of());
    }

    private List<String> serving(MergedDemands demands) {
        List<String> names = new ArrayList<>();
        for (Candidate heap : heaps) {
            if (demands.metBy(heap.facts())) {
                names.add(heap.name());
            }
        }
        return names;
    }

    /**
     * Deletes one demand after another as long as the rest stays impossible. More demands are never easier to meet, so
     * the result is minimal.
     */
    private static List<Demand> core(List<Demand> demands, Predicate<List<Demand>> impossible) {
        List<Demand> core = demands;
        for (Demand demand : demands) {
            List<Demand> rest = without(core, demand);
            if (impossible.test(rest)) {
                core = rest;
            }
        }
        return core;
    }

    private static List<Demand> without(List<Demand> demands, Demand dropped) {
        return demands.stream().filter(demand -> demand != dropped).toList();
    }
}
