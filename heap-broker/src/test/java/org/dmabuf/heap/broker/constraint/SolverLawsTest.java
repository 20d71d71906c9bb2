// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.dmabuf.heap.broker.constraint.Solver.Conflict;
import org.dmabuf.heap.broker.constraint.Solver.Outcome;
import org.dmabuf.heap.broker.constraint.Solver.Solution;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.DemandConflict;
import org.dmabuf.heap.constraint.HeapFacts;
import org.dmabuf.heap.constraint.RandomConstraints;
import org.junit.jupiter.api.Test;

/** Test of the solver's laws, over random demands and heaps. */
class SolverLawsTest {
    private static final int ROUNDS = 2000;
    private static final long SEED = RandomConstraints.seed();

    private final RandomConstraints random = new RandomConstraints(SEED);

    private List<Candidate> heaps() {
        return IntStream.range(0, random.below(6))
                .mapToObj(i -> new Candidate("heap-" + i, random.below(3), HeapFacts.of(random.heap())))
                .toList();
    }

    private static Set<String> names(Outcome outcome) {
        return outcome instanceof Solution solution ? new HashSet<>(solution.heaps()) : Set.of();
    }

    /** The heaps that meet each demand by itself, with the size that all of them give. */
    private static Set<String> meetingEach(List<Demand> demands, long size, List<Candidate> heaps) {
        Set<String> names = new HashSet<>();
        for (Candidate heap : heaps) {
            boolean each = heap.facts().sizeOf(size) <= heap.facts().largestSize()
                    && demands.stream()
                            .filter(demand -> !demand.kind().equals(ConstraintKind.BUFFERS))
                            .allMatch(demand -> demand.value().isMetBy(heap.facts(), size));
            if (each) {
                names.add(heap.name());
            }
        }
        return names;
    }

    private static List<Demand> without(List<Demand> demands, Demand dropped) {
        return demands.stream().filter(demand -> demand != dropped).toList();
    }

    @Test
    void merged_demands_are_met_exactly_where_each_demand_is() {
        int served = 0;
        for (int i = 0; i < ROUNDS; i++) {
            List<Demand> demands = random.demands(5);
            List<Candidate> heaps = heaps();
            long requested = random.size();
            Optional<MergedDemands> merged = MergedDemands.of(demands, requested);
            if (merged.isPresent()) {
                Set<String> names = names(solve(demands, requested, heaps));
                assertEquals(meetingEach(demands, merged.get().size(), heaps), names, demands::toString);
                served += names.size();
            }
        }
        assertTrue(served > ROUNDS / 20, "heaps that served: " + served);
    }

    private static Outcome solve(List<Demand> demands, long size, List<Candidate> heaps) {
        List<Candidate> fitting = heaps.stream()
                .filter(heap -> heap.facts().sizeOf(size) <= heap.facts().largestSize())
                .toList();
        boolean possible = MergedDemands.of(demands, size).isPresent();
        return fitting.isEmpty() && possible ? new Solution(null, List.of()) : Solver.solve(demands, size, fitting);
    }

    /** The counterpart of merge-then-match for demands that no value meets: no heap at all meets each of them. */
    @Test
    void no_heap_meets_each_demand_of_a_contradiction() {
        int contradictions = 0;
        for (int i = 0; i < ROUNDS; i++) {
            List<Demand> demands = random.demands(6);
            long size = random.size();
            if (MergedDemands.of(demands, size).isEmpty()) {
                contradictions++;
                for (long shaped : List.of(size, size + 4096, 196_608L, 8L << 20)) {
                    List<Demand> withoutShape = demands.stream()
                            .filter(demand -> !demand.kind().name().matches("granule|size.*"))
                            .toList();
                    if (MergedDemands.of(withoutShape, size).isEmpty()) {
                        assertEquals(Set.of(), meetingEach(withoutShape, shaped, sane(heaps())), demands::toString);
                    }
                }
            }
        }
        assertTrue(contradictions > ROUNDS / 20, "contradictions: " + contradictions);
    }

    /** Random properties can describe impossible memory, such as protected memory that the CPU maps. */
    private static List<Candidate> sane(List<Candidate> heaps) {
        return heaps.stream()
                .filter(heap -> !(heap.facts().flag("heap.protected")
                        && (heap.facts().flag("heap.mappable") || heap.facts().flag("heap.export.readonly"))))
                .toList();
    }

    @Test
    void a_core_is_impossible_and_becomes_possible_without_any_one_of_its_demands() {
        int[] sizes = new int[8];
        for (int i = 0; i < 5 * ROUNDS; i++) { // one of 700 rounds has a core of three demands
            List<Demand> demands = random.demands(12);
            List<Candidate> heaps = heaps();
            long size = random.size();
            if (!(solve(demands, size, heaps) instanceof Conflict refused)) {
                continue;
            }
            List<Candidate> fitting = heaps.stream()
                    .filter(heap -> heap.facts().sizeOf(size) <= heap.facts().largestSize())
                    .toList();
            DemandConflict conflict = refused.conflict();
            List<Demand> core = conflict.demands();
            sizes[core.size()]++;
            assertTrue(demands.containsAll(core));
            if (conflict.isContradiction()) {
                assertTrue(MergedDemands.of(core, size).isEmpty(), core::toString);
                for (Demand demand : core) {
                    assertTrue(MergedDemands.of(without(core, demand), size).isPresent(), core::toString);
                }
            } else {
                assertInstanceOf(Conflict.class, Solver.solve(core, size, fitting), core::toString);
                for (Demand demand : core) {
                    List<Demand> rest = without(core, demand);
                    assertFalse(names(Solver.solve(rest, size, fitting)).isEmpty(), core::toString);
                }
            }
        }
        assertTrue(sizes[1] > 0 && sizes[2] > 0 && sizes[3] > 0, "cores of one, two and three demands");
    }

    @Test
    void a_remedy_names_the_heaps_that_serve_without_the_demand() {
        int remedies = 0;
        for (int i = 0; i < ROUNDS; i++) {
            List<Demand> demands = random.demands(6);
            List<Candidate> heaps = heaps();
            long size = random.size();
            if (solve(demands, size, heaps) instanceof Conflict refused) {
                for (Demand demand : refused.conflict().demands()) {
                    Set<String> named = new HashSet<>(refused.conflict().servingWithout(demand));
                    List<Demand> rest = demands.stream()
                            .filter(other -> !(other.who().equals(demand.who())
                                    && other.value().equals(demand.value())))
                            .toList();
                    assertEquals(names(solve(rest, size, heaps)), named, demands::toString);
                    remedies += named.size();
                }
            }
        }
        assertTrue(remedies > 0);
    }

    @Test
    void the_order_and_the_repetition_of_demands_change_nothing() {
        for (int i = 0; i < ROUNDS; i++) {
            List<Demand> demands = random.demands(8);
            List<Demand> shuffled = new ArrayList<>(demands);
            shuffled.addAll(demands);
            Collections.shuffle(shuffled, new Random(i));
            long size = random.size();
            Optional<MergedDemands> one = MergedDemands.of(demands, size);
            Optional<MergedDemands> other = MergedDemands.of(shuffled, size);
            assertEquals(one.isPresent(), other.isPresent());
            if (one.isPresent()) {
                assertEquals(one.get().size(), other.get().size());
                assertEquals(one.get().alignment(), other.get().alignment());
                assertEquals(one.get().buffers(), other.get().buffers());
                HeapFacts heap = HeapFacts.of(random.heap());
                assertEquals(one.get().metBy(heap), other.get().metBy(heap));
            }
        }
    }

    /** Deletion finds a minimal core only because more demands are never easier to meet. */
    @Test
    void one_more_demand_never_makes_a_heap_serve() {
        for (int i = 0; i < ROUNDS; i++) {
            List<Demand> demands = random.demands(5);
            List<Demand> more = new ArrayList<>(demands);
            more.add(random.demand());
            long size = random.size();
            HeapFacts heap = HeapFacts.of(random.heap());
            boolean fewer =
                    MergedDemands.of(demands, size).filter(m -> m.metBy(heap)).isPresent();
            boolean all =
                    MergedDemands.of(more, size).filter(m -> m.metBy(heap)).isPresent();
            assertTrue(fewer || !all, more::toString);
        }
    }
}
