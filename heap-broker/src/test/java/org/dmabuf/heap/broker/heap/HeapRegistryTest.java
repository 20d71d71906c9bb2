// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.util.AbstractList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.UsageSums;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;

class HeapRegistryTest {
    private static final String BUNDLE = "org.example.camera";

    private final HeapRegistry registry = new HeapRegistry(new Ledger());

    private RegisteredHeap arrived(long service, String name) {
        return registry.arrived(service, new FakeHeap(), Map.of(HeapProperties.NAME, name), BUNDLE);
    }

    private RegisteredHeap arrived(long service, String name, int id) {
        return registry.arrived(
                service, new FakeHeap(), Map.of(HeapProperties.NAME, name, HeapProperties.ID, id), BUNDLE);
    }

    private void leaves(long service) {
        registry.gone(registry.leaving(service));
    }

    private HeapState state(RegisteredHeap heap) {
        return registry.routes().listed().stream()
                .filter(listed -> listed.heap() == heap)
                .findFirst()
                .orElseThrow()
                .state();
    }

    private List<String> departed() {
        return registry.departed().stream()
                .map(left -> left.description().name())
                .toList();
    }

    @Test
    void a_heap_that_arrives_serves() {
        HeapExporter exporter = new FakeHeap();
        RegisteredHeap heap = registry.arrived(7, exporter, Map.of(HeapProperties.NAME, "camera"), BUNDLE);
        assertSame(heap, registry.routes().named("camera"));
        assertEquals(HeapState.SERVING, state(heap));
        assertEquals(7, heap.service());
        assertSame(exporter, heap.exporter());
        assertEquals(BUNDLE, heap.description().bundle());
        assertEquals(List.of(heap), registry.present());
        assertFalse(heap.refused());
        assertEquals("heap 'camera'", heap.toString());
    }

    @Test
    void a_routing_table_is_immutable() {
        RoutingTable before = registry.routes();
        arrived(1, "camera");
        assertNull(before.named("camera"));
        assertNotSame(before, registry.routes());
    }

    /** B waits behind A's name and has the id of C. When A leaves, C keeps serving. */
    @Test
    void a_heap_that_takes_over_a_name_does_not_displace_another() {
        arrived(1, "camera", 1);
        arrived(2, "camera", 2);
        RegisteredHeap display = arrived(3, "display", 2);
        assertEquals(HeapState.SERVING, state(display));
        leaves(1);
        assertSame(display, registry.routes().named("display"));
        assertNull(registry.routes().named("camera"));
        leaves(3);
        assertEquals(2, registry.routes().named("camera").service());
    }

    @Test
    void a_heap_that_changes_to_a_serving_name_waits_even_if_it_arrived_first() {
        arrived(1, "early");
        RegisteredHeap camera = arrived(2, "camera");
        RegisteredHeap renamed = registry.changed(1, () -> Map.of(HeapProperties.NAME, "camera"));
        assertSame(camera, registry.routes().named("camera"));
        assertEquals(HeapState.SHADOWED, state(renamed));
        leaves(2);
        assertSame(renamed, registry.routes().named("camera"));
    }

    @Test
    void a_heap_that_changes_to_a_serving_id_waits_under_its_own_name_too() {
        arrived(1, "early", 1);
        RegisteredHeap camera = arrived(2, "camera", 2);
        RegisteredHeap moved = registry.changed(1, () -> Map.of(HeapProperties.NAME, "early", HeapProperties.ID, 2));
        assertSame(camera, registry.routes().first(registry.routes().places(1L << 2)));
        assertEquals(HeapState.SHADOWED, state(moved));
    }

    @Test
    void a_service_without_an_object_is_refused() {
        RegisteredHeap heap = registry.arrived(1, null, Map.of(HeapProperties.NAME, "camera"), BUNDLE);
        assertTrue(heap.refused());
        assertEquals(HeapState.REFUSED, state(heap));
        assertEquals("its service object is null", heap.refusal());
        assertNull(registry.routes().named("camera"));
    }

    @Test
    void a_heap_with_an_invalid_property_is_refused_with_the_reason() {
        RegisteredHeap heap = registry.arrived(3, new FakeHeap(), Map.of(HeapProperties.ID, 64), BUNDLE);
        assertEquals(HeapState.REFUSED, state(heap));
        assertEquals("service 3", heap.name());
        assertEquals("invalid heap.id = 64: expected 0 to 63", heap.refusal());
        assertEquals(0, registry.routes().size());
    }

    @Test
    void a_changed_id_moves_the_heap_in_the_masks() {
        RegisteredHeap before = arrived(1, "camera", 3);
        RegisteredHeap after = registry.changed(1, () -> Map.of(HeapProperties.NAME, "camera", HeapProperties.ID, 40));
        assertEquals(0, registry.routes().places(1L << 3));
        assertSame(after, registry.routes().first(registry.routes().places(1L << 40)));
        assertSame(before.gate(), after.gate());
        assertSame(before.exporter(), after.exporter());
        assertSame(before.account(), after.account());
        assertEquals(OptionalInt.of(40), after.description().id());
        assertEquals(BUNDLE, after.description().bundle());
    }

    @Test
    void a_heap_is_found_under_its_changed_name() {
        arrived(1, "camera");
        RegisteredHeap after = registry.changed(1, () -> Map.of(HeapProperties.NAME, "front"));
        assertNull(registry.routes().named("camera"));
        assertSame(after, registry.routes().named("front"));
        assertEquals(1, registry.present().size());
    }

    @Test
    void buffers_of_a_heap_that_took_another_name_stay_listed_under_the_old_one() {
        RegisteredHeap before = arrived(1, "camera");
        UsageSums.charge(before.account(), 4096);
        RegisteredHeap after = registry.changed(1, () -> Map.of(HeapProperties.NAME, "front"));
        assertEquals(0, after.account().buffers());
        assertEquals(List.of("camera"), departed());
        RegisteredHeap back = registry.changed(1, () -> Map.of(HeapProperties.NAME, "camera"));
        assertSame(before.account(), back.account());
        assertEquals(List.of(), departed());
        UsageSums.uncharge(back.account(), 4096);
    }

    @Test
    void a_heap_whose_new_properties_are_invalid_is_refused_and_its_buffers_stay_listed() {
        RegisteredHeap before = arrived(1, "camera");
        UsageSums.charge(before.account(), 4096);
        RegisteredHeap after = registry.changed(1, () -> Map.of(HeapProperties.NAME, "camera", HeapProperties.ID, -1));
        assertEquals(HeapState.REFUSED, state(after));
        assertNull(registry.routes().named("camera"));
        assertEquals(List.of("camera"), departed());
        leaves(1);
        assertEquals(List.of("camera"), departed());
        UsageSums.uncharge(before.account(), 4096);
        assertEquals(List.of(), departed());
    }

    @Test
    void a_heap_that_corrects_its_properties_serves() {
        RegisteredHeap refused = registry.arrived(1, new FakeHeap(), Map.of(), BUNDLE);
        RegisteredHeap mended = registry.changed(1, () -> Map.of(HeapProperties.NAME, "camera"));
        assertFalse(mended.refused());
        assertSame(refused.exporter(), mended.exporter());
        assertSame(mended, registry.routes().named("camera"));
        UsageSums.charge(mended.account(), 1);
        assertSame(
                mended.account(),
                registry.changed(1, () -> Map.of(HeapProperties.NAME, "camera")).account());
    }

    @Test
    void a_change_of_properties_keeps_the_order_of_arrival() {
        arrived(1, "camera");
        arrived(2, "early");
        arrived(3, "camera");
        RegisteredHeap renamed = registry.changed(2, () -> Map.of(HeapProperties.NAME, "camera"));
        leaves(1);
        assertSame(renamed, registry.routes().named("camera")); // and not the third, which had the name first
    }

    @Test
    void a_change_of_an_unknown_service_has_no_effect() {
        RegisteredHeap camera = arrived(1, "camera");
        assertNull(registry.changed(2, () -> Map.of(HeapProperties.NAME, "front")));
        assertSame(camera, registry.routes().named("camera"));
    }

    @Test
    void a_heap_that_is_leaving_is_listed_and_not_asked() {
        RegisteredHeap heap = arrived(1, "camera");
        assertSame(heap, registry.leaving(1));
        assertEquals(HeapState.DRAINING, state(heap));
        assertNull(registry.routes().named("camera"));
        assertEquals(List.of(heap), registry.present());
        assertNull(registry.changed(1, () -> Map.of(HeapProperties.NAME, "camera")));
        assertNull(registry.leaving(1));
        registry.gone(heap);
        assertEquals(List.of(), registry.routes().listed());
        assertEquals(List.of(), registry.present());
        assertEquals(List.of(), departed());
    }

    @Test
    void a_shadowed_heap_takes_over_as_soon_as_the_first_is_leaving() {
        arrived(1, "camera");
        RegisteredHeap second = arrived(2, "camera");
        RegisteredHeap first = registry.leaving(1);
        assertSame(second, registry.routes().named("camera"));
        registry.gone(first);
        assertSame(second, registry.routes().named("camera"));
        assertNull(registry.leaving(1));
    }

    @Test
    void a_heap_that_has_left_is_listed_while_its_buffers_live() {
        RegisteredHeap heap = arrived(1, "camera");
        UsageSums.charge(heap.account(), 4096);
        UsageSums.charge(heap.account(), 8192);
        leaves(1);
        assertEquals(List.of("camera"), departed());
        assertSame(heap.account(), registry.departed().getFirst().account());
        UsageSums.uncharge(heap.account(), 4096);
        assertEquals(List.of("camera"), departed());
        UsageSums.uncharge(heap.account(), 8192);
        assertEquals(List.of(), departed());
    }

    @Test
    void a_heap_that_returns_under_the_same_name_has_the_same_account() {
        RegisteredHeap before = arrived(1, "camera");
        UsageSums.charge(before.account(), 4096);
        leaves(1);
        RegisteredHeap after = arrived(2, "camera");
        assertSame(before.account(), after.account());
        assertEquals(List.of(), departed());
        leaves(2);
        assertEquals(List.of("camera"), departed());
        UsageSums.uncharge(before.account(), 4096);
        assertEquals(List.of(), departed());
        assertNotSame(before.account(), arrived(3, "camera").account());
    }

    @Test
    void a_shadowed_heap_shares_the_account_of_its_name() {
        RegisteredHeap first = arrived(1, "camera");
        RegisteredHeap second = arrived(2, "camera");
        assertSame(first.account(), second.account());
        UsageSums.charge(first.account(), 1);
        leaves(1);
        assertEquals(List.of(), departed());
        leaves(2);
        assertEquals(List.of("camera"), departed());
    }

    @Test
    void a_refused_heap_shares_no_account() {
        RegisteredHeap camera = arrived(1, "camera");
        RegisteredHeap refused = registry.arrived(
                2, new FakeHeap(), Map.of(HeapProperties.NAME, "camera", HeapProperties.ID, 99), BUNDLE);
        assertNotSame(camera.account(), refused.account());
        UsageSums.charge(camera.account(), 1);
        leaves(2);
        assertEquals(List.of(), departed());
    }

    @Test
    void a_buffer_that_is_made_while_its_heap_leaves_is_counted_and_listed() {
        // The heap unregisters its service within allocate, and the drain ignores that thread.
        RegisteredHeap heap = arrived(1, "camera");
        int ticket = heap.gate().enter();
        registry.leaving(1);
        assertEquals(0, heap.gate().close(0));
        registry.gone(heap);
        assertEquals(List.of(), departed()); // the buffer does not exist yet
        UsageSums.charge(heap.account(), 4096);
        heap.gate().leave(ticket);
        assertEquals(List.of("camera"), departed());
        assertSame(heap.account(), arrived(2, "camera").account());
        UsageSums.uncharge(heap.account(), 4096);
        leaves(2);
        assertEquals(List.of(), departed());
    }

    @Test
    void ten_thousand_heaps_that_arrived_and_left_leave_nothing() throws Exception {
        RegisteredHeap stays = arrived(0, "stays");
        for (int i = 1; i <= 10_000; i++) {
            RegisteredHeap heap = arrived(i, "heap" + i % 100, i % 64);
            UsageSums.charge(heap.account(), 4096);
            Map<String, String> renamed = Map.of(HeapProperties.NAME, "renamed" + i);
            registry.changed(i, () -> renamed);
            leaves(i);
            UsageSums.uncharge(heap.account(), 4096);
            if (i % 100 == 0) {
                assertTrue(size("accounts") <= 3, () -> "after heap " + heap.service());
            }
        }
        assertEquals(List.of(), registry.departed());
        assertEquals(List.of(stays), registry.present());
        assertEquals(1, registry.routes().listed().size());
        assertEquals(1, size("arrivals"));
        assertEquals(0, size("draining"));
        assertEquals(0, size("departed"));
        assertEquals(1, size("accounts"));
    }

    /**
     * Returns the number of entries in a collection of the registry, by reflection, because no method shows whether it
     * grows.
     */
    private int size(String field) throws ReflectiveOperationException {
        var declared = HeapRegistry.class.getDeclaredField(field);
        declared.setAccessible(true);
        Object value = declared.get(registry);
        return value instanceof Map<?, ?> map ? map.size() : ((Collection<?>) value).size();
    }

    @Test
    void buffers_do_not_keep_a_heap_that_has_left_reachable() {
        RegisteredHeap[] heap = {arrived(1, "camera")};
        HeapAccount account = heap[0].account();
        UsageSums.charge(account, 4096);
        leaves(1);
        WeakReference<HeapExporter> exporter = new WeakReference<>(heap[0].exporter());
        heap[0] = null;
        Await.untilCollected("the exporter is collected", () -> exporter.refersTo(null));
        assertEquals(List.of("camera"), departed());
    }

    /** A vendor's equals may have another meaning, or a fault. */
    private static final class Quarrelsome implements HeapExporter {
        @Override
        public HeapBuffer allocate(HeapRequest request) {
            return null;
        }

        @Override
        public boolean equals(Object other) {
            throw new AssertionError("a vendor's code ran");
        }

        @Override
        public int hashCode() {
            throw new AssertionError("a vendor's code ran");
        }

        @Override
        public String toString() {
            throw new AssertionError("a vendor's code ran");
        }
    }

    @Test
    void of_two_concurrent_changes_the_later_one_stays() {
        arrived(1, "camera");
        RegisteredHeap older = registry.changed(1, () -> {
            registry.changed(1, () -> Map.of(HeapProperties.NAME, "newer"));
            return Map.of(HeapProperties.NAME, "older");
        });
        assertEquals("newer", older.name());
        assertSame(older, registry.routes().named("newer"));
        assertNull(registry.routes().named("older"));
        registry.changed(1, () -> Map.of(HeapProperties.NAME, "newest"));
        assertEquals(1, registry.routes().named("newest").service());
    }

    @Test
    void a_list_from_a_heap_is_read_outside_the_lock() {
        int[] read = new int[1];
        List<String> own = Collections.unmodifiableList(
                new AbstractList<String>() { // a vendor's list
                    @Override
                    public String get(int index) {
                        assertFalse(Thread.holdsLock(registry), "a vendor's code ran under the lock");
                        read[0]++;
                        return "contiguous";
                    }

                    @Override
                    public int size() {
                        return 1;
                    }
                });
        registry.arrived(
                1, new FakeHeap(), Map.of(HeapProperties.NAME, "camera", HeapProperties.EMULATES, own), BUNDLE);
        int before = read[0];
        assertTrue(before > 0);
        RegisteredHeap after =
                registry.changed(1, () -> Map.of(HeapProperties.NAME, "camera", HeapProperties.EMULATES, own));
        assertTrue(read[0] > before);
        assertEquals(Set.of("contiguous"), after.description().emulates());
        assertEquals(BUNDLE, after.description().bundle());
    }

    @Test
    void a_closed_table_lists_every_heap_as_draining_until_it_is_gone() {
        RegisteredHeap leaving = arrived(1, "leaving");
        arrived(2, "camera");
        RegisteredHeap shadowed = arrived(3, "camera");
        registry.leaving(1);
        assertEquals(3, registry.close().size());
        assertEquals(
                List.of(HeapState.DRAINING, HeapState.DRAINING, HeapState.DRAINING),
                registry.routes().listed().stream().map(HeapStanding::state).toList());
        assertEquals(0, registry.routes().size());
        registry.gone(leaving);
        assertSame(shadowed, registry.leaving(3));
        registry.gone(shadowed);
        assertNull(registry.leaving(3));
        leaves(2);
        assertEquals(List.of(), registry.routes().listed());
        assertEquals(List.of(), registry.present());
    }

    @Test
    void no_code_of_a_heap_runs_while_it_arrives_changes_and_leaves() throws Exception {
        Map<String, Object> properties = new HashMap<>(Map.of(HeapProperties.NAME, "camera"));
        registry.arrived(1, new Quarrelsome(), properties, BUNDLE);
        registry.arrived(2, new Quarrelsome(), properties, BUNDLE);
        registry.changed(1, () -> properties);
        RegisteredHeap one = registry.leaving(1);
        RegisteredHeap two = registry.leaving(2);
        assertTrue(registry.routes().listed().toString().contains("DRAINING"));
        registry.gone(two);
        registry.gone(one);
        assertEquals(List.of(), registry.present());
    }
}
