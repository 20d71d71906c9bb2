// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.constraint.Solver.Conflict;
import org.dmabuf.heap.broker.constraint.Solver.Solution;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.DemandConflict;
import org.dmabuf.heap.constraint.HeapFacts;
import org.junit.jupiter.api.Test;

/** Test of the solver with the demands of devices as they are on real systems. */
class SolverExamplesTest {
    private static final long FRAME_4K = 12_441_600;
    private static final long FRAME = 614_400;
    private static final long MIB = 1 << 20;
    private static final long ABOVE = 0x1_0000_0000L;

    private static final Map<String, Object> CMA_LIKE = Map.of(
            HeapProperties.DMABUF, true,
            HeapProperties.CONTIGUOUS, true,
            HeapProperties.ALIGNMENT, MIB);

    private static final List<Candidate> HEAPS = List.of(
            heap("system", Map.of(HeapProperties.DMABUF, true)),
            heap("cma", window(CMA_LIKE, 0x2C00_0000L, 0x3C00_0000L)),
            heap("cma-high", window(CMA_LIKE, ABOVE, ABOVE + 0x1000_0000L)),
            heap(
                    "carveout",
                    window(
                            Map.of(
                                    HeapProperties.DMABUF, true,
                                    HeapProperties.CONTIGUOUS, true,
                                    HeapProperties.ALIGNMENT, 65_536L),
                            0x3000_0000L,
                            0x3400_0000L)),
            heap("huge2m", Map.of(HeapProperties.DMABUF, true, HeapProperties.CONTIGUOUS_MAX, 2 * MIB)),
            heap("memfd", Map.of(HeapProperties.EXPORT_READONLY, true)),
            heap(
                    "secure",
                    Map.of(
                            HeapProperties.DMABUF, true,
                            HeapProperties.MAPPABLE, false,
                            HeapProperties.PROTECTED, true)));

    private static Candidate heap(String name, Map<String, Object> properties) {
        return new Candidate(name, 0, HeapFacts.of(properties));
    }

    private static Map<String, Object> window(Map<String, Object> properties, long low, long end) {
        Map<String, Object> all = new HashMap<>(properties);
        all.put(HeapProperties.ADDRESS_MIN, low);
        all.put(HeapProperties.ADDRESS_MAX, end - 1);
        return all;
    }

    private static List<Demand> demands(String... texts) {
        return Stream.of(texts).map(Demand::parse).toList();
    }

    private static Solution served(long size, String... demands) {
        return assertInstanceOf(Solution.class, Solver.solve(demands(demands), size, HEAPS));
    }

    private static DemandConflict refused(boolean contradiction, List<Candidate> heaps, long size, String... demands) {
        DemandConflict conflict = assertInstanceOf(Conflict.class, Solver.solve(demands(demands), size, heaps))
                .conflict();
        assertEquals(contradiction, conflict.isContradiction(), conflict::toString);
        return conflict;
    }

    private static Set<String> who(DemandConflict conflict) {
        return Set.copyOf(conflict.demands().stream().map(Demand::who).toList());
    }

    private static List<String> without(DemandConflict conflict, String who) {
        return conflict.servingWithout(conflict.demands().stream()
                .filter(demand -> demand.who().equals(who))
                .findFirst()
                .orElseThrow());
    }

    @Test
    void example_1_two_contiguous_devices_of_which_one_reaches_30_bits() {
        assertEquals(
                List.of("cma", "carveout"),
                served(
                                FRAME_4K,
                                "video0 sg=contiguous",
                                "video0 address=32bit",
                                "video0 dmabuf=true",
                                "card0 sg=contiguous",
                                "card0 address=30bit",
                                "card0 dmabuf=true")
                        .heaps());
    }

    @Test
    void example_2_two_devices_behind_an_iommu() {
        List<String> heaps =
                served(FRAME_4K, "video0 dmabuf=true", "card0 dmabuf=true").heaps();
        assertEquals("system", heaps.getFirst());
        assertFalse(heaps.contains("memfd"));
    }

    @Test
    void example_3_an_engine_with_64_entries() {
        assertFalse(served(8 * MIB, "engine sg=64xany").heaps().contains("system"));
        assertTrue(served(200 << 10, "engine sg=64xany").heaps().contains("system"));
    }

    @Test
    void example_4_granules_round_the_size_up() {
        MergedDemands merged = served(100_000, "a granule=48K", "b granule=64K").demands();
        assertEquals(196_608, merged.size());
    }

    @Test
    void example_5_cached_and_uncached() {
        DemandConflict conflict = refused(
                true, HEAPS, MIB, "reader cpu=cached", "scanout cpu=uncached", "camera dmabuf=true", "gpu granule=4K");
        assertEquals(Set.of("reader", "scanout"), who(conflict));
    }

    @Test
    void example_6_protected_and_mapped_by_the_cpu() {
        for (String mapping : List.of("mappable=true", "cpu=cached,uncached")) {
            DemandConflict conflict = refused(true, HEAPS, MIB, "player protected=true", "overlay " + mapping);
            assertEquals(Set.of("player", "overlay"), who(conflict));
            assertEquals("system", without(conflict, "player").getFirst());
            assertEquals(List.of("secure"), without(conflict, "overlay"));
        }
    }

    @Test
    void example_7_three_sets_of_nodes_of_which_no_two_are_in_conflict() {
        DemandConflict conflict = refused(true, HEAPS, MIB, "a numa=0,1", "b numa=1,2", "c numa=0,2");
        assertEquals(Set.of("a", "b", "c"), who(conflict));
    }

    @Test
    void example_8_the_least_size_of_one_exceeds_the_largest_of_the_other() {
        DemandConflict conflict = refused(true, HEAPS, MIB, "encoder size.min=8M", "dsp size.max=4M", "gpu granule=4K");
        assertEquals(Set.of("encoder", "dsp"), who(conflict));
        assertEquals("system", without(conflict, "dsp").getFirst());
    }

    @Test
    void example_9_alignments_that_overflow() {
        refused(true, HEAPS, MIB, "a alignment=2305843009213693951", "b alignment=1T");
        refused(true, HEAPS, MIB, "a granule=2305843009213693951", "b granule=1T");
        assertEquals(
                Set.of("a"),
                who(refused(true, HEAPS, MIB, "a alignment=48K", "b alignment=64K")),
                "no heap aligns to a number that is not a power of two");
    }

    @Test
    void example_10_a_dma_buf_that_is_exported_read_only() {
        DemandConflict conflict = refused(false, HEAPS, MIB, "video0 dmabuf=true", "peer readonly=true");
        assertEquals(Set.of("video0", "peer"), who(conflict));
        assertEquals(List.of("memfd"), without(conflict, "video0"));
        assertEquals("system", without(conflict, "peer").getFirst());
    }

    @Test
    void example_11_two_windows_without_a_common_address() {
        DemandConflict conflict = refused(true, HEAPS, MIB, "isp address=0x80000000-0x8fffffff", "card0 address=30bit");
        assertEquals(Set.of("isp", "card0"), who(conflict));
    }

    @Test
    void example_14_a_window_inside_the_range_of_a_heap() {
        DemandConflict conflict = refused(
                false, HEAPS, MIB, "dsp address=0x2d000000-0x2dffffff", "video0 sg=contiguous", "video0 dmabuf=true");
        assertEquals(Set.of("dsp"), who(conflict));
        assertEquals(Set.of("cma", "carveout", "cma-high", "huge2m"), Set.copyOf(without(conflict, "dsp")));
    }

    @Test
    void example_17_without_demands_the_least_scarce_heap_is_first() {
        assertEquals(
                List.of("system", "huge2m", "memfd", "cma", "cma-high", "carveout", "secure"),
                served(MIB).heaps());
    }

    @Test
    void example_19_limits_of_two_scatter_lists() {
        List<String> heaps = served(12 * MIB, "a sg=10xany", "b sg=256x64K").heaps();
        assertEquals(Set.of("cma", "cma-high", "carveout", "huge2m"), Set.copyOf(heaps));
    }

    @Test
    void example_20_a_huge_page_serves_a_contiguous_device_without_a_cma() {
        List<Candidate> withoutCma = HEAPS.stream()
                .filter(heap -> Set.of("system", "huge2m", "memfd").contains(heap.name()))
                .toList();
        Solution solution = assertInstanceOf(
                Solution.class, Solver.solve(demands("video1 sg=contiguous", "video1 dmabuf=true"), FRAME, withoutCma));
        assertEquals(List.of("huge2m"), solution.heaps());
    }

    @Test
    void rules_that_involve_several_kinds_are_contradictions() {
        assertEquals(Set.of("a", "b"), who(refused(true, HEAPS, MIB, "a granule=8M", "b size.max=4M")));
        assertEquals(Set.of("a", "b"), who(refused(true, HEAPS, MIB, "a protected=true", "b readonly=true")));
        assertEquals(
                Set.of("a", "b", "c"),
                who(refused(true, HEAPS, 4096, "a granule=768K", "b size.max=1200K", "c size.min=1M")));
        assertEquals(Set.of("b"), who(refused(true, HEAPS, 8 * MIB, "a dmabuf=true", "b size.max=4M")));
    }

    /** Such a device adds up the entries of one run, and each of them can be shorter than the boundary. */
    @Test
    void one_run_of_short_entries_meets_a_boundary() {
        String[] demands = {"a boundary=64K", "b sg=contiguous"};
        Candidate pieces = heap("pieces", Map.of(HeapProperties.SG_ENTRY, 4096L));
        Candidate runs = heap("runs", Map.of(HeapProperties.CONTIGUOUS_MAX, 2 * MIB, HeapProperties.SG_ENTRY, 4096L));
        assertEquals(Set.of("b"), who(refused(false, List.of(pieces), MIB, demands)));
        Solution solution =
                assertInstanceOf(Solution.class, Solver.solve(demands(demands), MIB, List.of(pieces, runs)));
        assertEquals(List.of("runs"), solution.heaps());
    }

    @Test
    void a_kind_that_two_bundles_declare_differently_is_a_contradiction() {
        Demand most = Demand.of("a", ConstraintKind.atMost("bank", "acme.bank"), "4", "");
        Demand least = Demand.of("b", ConstraintKind.oneOf("bank", "acme.bank"), "4", "");
        Conflict conflict = assertInstanceOf(Conflict.class, Solver.solve(List.of(most, least), MIB, HEAPS));
        assertTrue(conflict.conflict().isContradiction());
        assertEquals(List.of(most, least), conflict.conflict().demands());
    }

    @Test
    void a_demand_of_an_unknown_kind_is_met_by_no_heap() {
        DemandConflict conflict = refused(false, HEAPS, MIB, "npu bank=2", "npu dmabuf=true");
        assertEquals(
                Set.of("bank"),
                Set.copyOf(conflict.demands().stream()
                        .map(demand -> demand.kind().name())
                        .toList()));
    }

    @Test
    void an_unknown_kind_is_a_shortage_beside_a_known_one_of_its_name() {
        Demand known = Demand.of("a", ConstraintKind.atMost("bank", "acme.bank"), "4", "");
        Demand unknown = Demand.parse("b bank=2");
        List<Candidate> heaps = List.of(heap("acme", Map.of("acme.bank", 2)));
        for (List<Demand> demands : List.of(List.of(known, unknown), List.of(unknown, known))) {
            Conflict conflict = assertInstanceOf(Conflict.class, Solver.solve(demands, MIB, heaps));
            assertFalse(conflict.conflict().isContradiction());
            assertEquals(List.of(unknown), conflict.conflict().demands());
            assertEquals(List.of("acme"), conflict.conflict().servingWithout(unknown));
        }
    }

    @Test
    void one_demand_that_two_sources_report_is_one_demand() {
        DemandConflict conflict =
                refused(true, HEAPS, MIB, "a cpu=cached here", "a cpu=cached there", "b cpu=uncached here");
        assertEquals(
                List.of("a cpu=cached here", "b cpu=uncached here"),
                conflict.demands().stream().map(Demand::toString).toList());
        assertEquals("system", without(conflict, "b").getFirst());
    }

    @Test
    void the_buffers_of_all_devices_are_added_and_those_of_two_sources_are_not() {
        MergedDemands merged = served(MIB, "a buffers=4 driver", "a buffers=3 file", "b buffers=2")
                .demands();
        assertEquals(6, merged.buffers());
        assertEquals(
                Long.MAX_VALUE,
                served(MIB, "a buffers=9223372036854775807", "b buffers=2")
                        .demands()
                        .buffers());
    }

    @Test
    void the_request_gets_the_size_the_alignment_and_the_export_that_are_demanded() {
        MergedDemands merged = served(MIB - 1, "a alignment=16K", "b alignment=64K", "a size.min=1M", "b granule=4K")
                .demands();
        assertEquals(65_536, merged.alignment());
        assertEquals(MIB, merged.size());
        assertFalse(merged.readOnly());
        assertTrue(served(MIB, "peer readonly=true").demands().readOnly());
    }

    @Test
    void the_largest_size_of_a_request_is_not_too_large() {
        long largest = Long.MAX_VALUE - 65_535; // AllocationRequest.of refuses a larger one
        MergedDemands merged = served(largest).demands();
        assertEquals(largest, merged.size());
        assertEquals(Set.of("a"), who(refused(true, HEAPS, largest, "a size.max=4M")));
    }

    @Test
    void a_limit_of_the_back_end_excludes_the_heap() {
        List<Candidate> heaps = List.of(
                heap("udmabuf", Map.of(HeapProperties.SIZE_MAX, MIB)),
                heap("other", Map.of(HeapProperties.DMABUF, true)));
        Solution solution = assertInstanceOf(Solution.class, Solver.solve(demands("a size.min=2M"), 4096, heaps));
        assertEquals(List.of("other"), solution.heaps());
    }

    @Test
    void a_buffer_that_the_heap_enlarges_beyond_its_limit_excludes_the_heap() {
        List<Candidate> heaps = List.of(
                heap("chunks", Map.of(HeapProperties.SIZE_MAX, MIB, HeapProperties.SIZE_GRANULE, 2 * MIB)),
                heap("other", Map.of(HeapProperties.SIZE_MAX, MIB)));
        Solution solution = assertInstanceOf(Solution.class, Solver.solve(List.of(), 4096, heaps));
        assertEquals(List.of("other"), solution.heaps());
    }

    @Test
    void the_rank_of_a_heap_comes_before_its_scarcity() {
        List<Candidate> heaps = new ArrayList<>();
        for (int i = 0; i < HEAPS.size(); i++) {
            heaps.add(new Candidate(HEAPS.get(i).name(), -i, HEAPS.get(i).facts()));
        }
        Solution solution = assertInstanceOf(Solution.class, Solver.solve(List.of(), MIB, heaps));
        assertEquals(HEAPS.stream().map(Candidate::name).toList().reversed(), solution.heaps());
    }
}
