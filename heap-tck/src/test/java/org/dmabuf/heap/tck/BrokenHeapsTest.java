// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapExporter;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tests that each case of the contract can fail: for its own requirement, and with a message that names the fault. */
class BrokenHeapsTest {
    private static final List<AutoCloseable> LEFT = new CopyOnWriteArrayList<>();

    private final MemfdSource good = Heaps.good();

    @AfterAll
    static void close() throws Exception {
        for (AutoCloseable left : LEFT) {
            left.close();
        }
        LEFT.clear();
    }

    static Stream<BrokenHeap> heaps() {
        return BrokenHeaps.all(LEFT);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("heaps")
    void a_broken_heap_is_noticed_by_the_case_about_its_fault(BrokenHeap broken) {
        Map<String, Object> properties = Heaps.announced(good, broken.announced());
        HeapContract contract = Heaps.contract(broken.breaking().apply(good), properties);
        Map<String, String> skipped = Heaps.skipped(contract);
        String reason = skipped.get(broken.fault().noticedBy());
        if (reason != null) {
            System.out.println("skipped: " + broken + ": " + reason);
            Assumptions.abort(reason);
        }
        Set<String> expected = broken.fault().expected(skipped.keySet());
        broken.fault().assertNoticed(Heaps.failures(contract, expected), skipped.keySet());
    }

    @Test
    void each_case_has_a_broken_heap() {
        Set<String> noticing = new TreeSet<>();
        List<AutoCloseable> left = new ArrayList<>();
        BrokenHeaps.all(left).forEach(broken -> noticing.add(broken.fault().noticedBy()));
        LEFT.addAll(left);
        Set<String> cases = HeapContract.of(good, Heaps.announced(good)).cases().stream()
                .map(ContractCase::name)
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(cases, noticing);
    }

    @Test
    void the_heap_that_the_others_break_is_a_good_one() {
        assertEquals(Map.of(), Heaps.failures(Heaps.contract(good, Heaps.announced(good)), Set.of()));
    }

    @Test
    void a_heap_without_any_check_is_not_asked_for_an_absurd_size() {
        long[] largest = new long[1];
        HeapExporter broken = request -> {
            largest[0] = Math.max(largest[0], request.size());
            return good.allocate(request.withAlignment(1));
        };
        Map<String, String> failures = Heaps.failures(Heaps.contract(broken, Heaps.announced(good)), Set.of());
        assertTrue(failures.get("an_absurd_size_is_refused_before_it_is_tried").startsWith("not run: "));
        assertEquals(16 << 20, largest[0]);
    }

    @Test
    void a_property_of_another_type_is_noticed_whichever_it_is() throws IllegalAccessException {
        for (Field constant : HeapProperties.class.getFields()) {
            String property = (String) constant.get(null);
            if (property.startsWith("heap.")) {
                assertAnnouncementFails(
                        "each_announced_property_has_its_type_and_range",
                        Map.of(property, 'x'),
                        property + " is x of java.lang.Character");
            }
        }
    }

    @Test
    void a_value_out_of_range_is_noticed() {
        Map<String, Object> values = new TreeMap<>(Map.of(
                HeapProperties.ID, -1,
                HeapProperties.QUOTA, -1L,
                HeapProperties.ALIGNMENT, 12288L,
                HeapProperties.SG_ENTRY, 0L,
                HeapProperties.DMA_BITS, 65,
                HeapProperties.CONTIGUOUS_MAX, 0L,
                HeapProperties.SIZE_GRANULE, 0L,
                HeapProperties.SIZE_MAX, -1L));
        values.forEach((property, value) -> assertAnnouncementFails(
                "each_announced_property_has_its_type_and_range",
                Map.of(property, value),
                property + " is " + value + " of "));
        assertAnnouncementFails(
                "each_announced_property_has_its_type_and_range",
                Map.of(HeapProperties.NUMA, new String[] {"0", "1"}),
                "heap.numa is ");
    }

    @Test
    void a_name_that_a_heap_may_not_have_is_noticed() {
        for (String name : List.of("", "a".repeat(65), "a/b", "a..b", "a b", "adopted")) {
            assertAnnouncementFails(
                    "the_heap_is_announced_by_a_name_that_can_be_one",
                    Map.of(HeapProperties.NAME, name),
                    "heap.name is '" + name + "'");
        }
    }

    @Test
    void contiguous_memory_that_is_also_announced_as_emulated_is_noticed() {
        for (Object emulated : List.of("contiguous", new String[] {"contiguous"}, List.of("contiguous"))) {
            assertAnnouncementFails(
                    "what_is_announced_as_real_is_not_announced_as_emulated",
                    Map.of(HeapProperties.CONTIGUOUS, true, HeapProperties.EMULATES, emulated),
                    "heap.contiguous=true, and heap.emulates has contiguous");
        }
    }

    private void assertAnnouncementFails(String name, Map<String, Object> announced, String message) {
        ContractCase one = Heaps.contract(good, Heaps.announced(good, announced)).cases().stream()
                .filter(c -> c.name().equals(name))
                .findFirst()
                .orElseThrow();
        String failure = one.failure().orElseThrow(() -> new AssertionError(announced + " is not noticed"));
        assertTrue(failure.contains(message), failure);
    }
}
