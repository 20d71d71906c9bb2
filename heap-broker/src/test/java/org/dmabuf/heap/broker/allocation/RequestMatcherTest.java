// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RequestMatcherTest {
    private static final AllocationRequest REQUEST = AllocationRequest.of(4096);

    private final BrokerParts broker = new BrokerParts();

    @AfterEach
    void stop() {
        broker.close();
    }

    private RegisteredHeap heap(String key, Object value) {
        return broker.heap("camera", new FakeHeap(), Map.of(key, value));
    }

    private RequestMatcher matcher(AllocationRequest request) {
        return new RequestMatcher(request, broker.registry.routes());
    }

    private void assertMet(AllocationRequest request, RegisteredHeap by) {
        RequestMatcher matcher = matcher(request);
        assertTrue(matcher.metBy(by));
        assertThrows(IllegalArgumentException.class, () -> matcher.unmetBy(by));
    }

    private void assertUnmet(String why, AllocationRequest request, RegisteredHeap by) {
        RequestMatcher matcher = matcher(request);
        assertFalse(matcher.metBy(by));
        assertEquals(why, matcher.unmetBy(by));
    }

    @Test
    void all_emulations_of_a_heap_must_be_accepted() {
        RegisteredHeap heap = heap(HeapProperties.EMULATES, List.of("contiguous", "secure"));
        String why = "it only emulates contiguous and secure; accept that with"
                + " withEmulations(\"contiguous\", \"secure\")";
        assertUnmet(why, REQUEST, heap);
        assertUnmet(why, REQUEST.withEmulations("secure"), heap);
        assertMet(REQUEST.withEmulations("secure", "contiguous", "other"), heap);
    }

    @Test
    void a_heap_aligns_up_to_its_announced_alignment_only() {
        RegisteredHeap heap = heap(HeapProperties.ALIGNMENT, 8192L);
        assertMet(REQUEST.withAlignment(8192), heap);
        assertUnmet("it aligns to 8 KiB at most, not to 16 KiB", REQUEST.withAlignment(16384), heap);
    }

    @Test
    void a_refusal_lists_the_heaps_that_have_the_missing_property() {
        RegisteredHeap pages = heap(HeapProperties.ID, 7);
        AllocationRequest aligned = REQUEST.withHeaps("camera").withAlignment(16384);
        assertUnmet("it aligns to 4 KiB at most, not to 16 KiB; no serving heap does", aligned, pages);
        broker.heap("chunks", new FakeHeap(), Map.of(HeapProperties.ALIGNMENT, 16384L, HeapProperties.PRIORITY, -1));
        broker.heap("blocks", new FakeHeap(), Map.of(HeapProperties.ALIGNMENT, 1L << 20));
        String both = "; serving heaps that do: blocks, chunks";
        assertUnmet("it aligns to 4 KiB at most, not to 16 KiB" + both, aligned, pages);
        assertUnmet(
                "it aligns to 4 KiB at most, not to 16 KiB" + both,
                REQUEST.withMask(1 << 7).withAlignment(16384),
                pages);
        assertUnmet(
                "it does not meet (heap.alignment>=8192)" + both,
                REQUEST.withHeaps("camera").withRequirement("(heap.alignment>=8192)"),
                pages);
        assertUnmet(
                "it cannot export a descriptor through which no holder can write; no serving heap does",
                REQUEST.withHeaps("camera").withExport(ExportMode.READ_ONLY),
                pages);
        assertUnmet("it aligns to 4 KiB at most, not to 16 KiB", REQUEST.withAlignment(16384), pages);
    }

    @Test
    void only_a_read_only_export_needs_a_heap_that_can_export_read_only() {
        RegisteredHeap heap = heap(HeapProperties.EXPORT_READONLY, false);
        assertMet(REQUEST, heap);
        assertMet(REQUEST.withExport(ExportMode.NONE), heap);
        assertUnmet(
                "it cannot export a descriptor through which no holder can write",
                REQUEST.withExport(ExportMode.READ_ONLY),
                heap);
    }

    @Test
    void a_heap_with_read_only_exports_meets_the_request() {
        assertMet(REQUEST.withExport(ExportMode.READ_ONLY), heap(HeapProperties.EXPORT_READONLY, true));
    }

    @Test
    void a_requirement_is_a_filter_over_the_heaps_properties() {
        RegisteredHeap heap = heap("vendor.mood", "good");
        assertMet(REQUEST.withRequirement("(vendor.mood=good)"), heap);
        assertUnmet("it does not meet (vendor.mood=bad)", REQUEST.withRequirement("(vendor.mood=bad)"), heap);
    }
}
