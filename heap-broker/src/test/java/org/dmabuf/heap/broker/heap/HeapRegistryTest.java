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

    private final HeapRegistry table = new HeapRegistry(new Ledger());

    private RegisteredHeap arrived(long service, String name) {
        return table.arrived(service, new FakeHeap(), Map.of(HeapProperties.NAME, name), BUNDLE);
    }

    private RegisteredHeap arrived(long service, String name, int id) {
        return table.arrived(
                service, new FakeHeap(), Map.of(HeapProperties.NAME, name, HeapProperties.ID, id), BUNDLE);
    }

    private void leaves(long service) {
        table.gone(table.leaving(service));
    }

    private HeapState state(RegisteredHeap heap) {
        return table.routes().listed().stream()
                .filter(listed -> listed.heap() == heap)
                .findFirst()
                .orElseThrow()
                .state();
    }

    private List<String> departed() {
        return table.departed().stream().map(left -> left.description().name()).toList();
    }

    @Test
    void a_heap_that_arrives_serves() {
        HeapExporter exporter = new FakeHeap();
        RegisteredHeap heap = table.arrived(7, exporter, Map.of(HeapProperties.NAME, "camera"), BUNDLE);
        assertSame(heap, table.routes().named("camera"));
        assertEquals(HeapState.SERVING, state(heap));
        assertEquals(7, heap.service());
        assertSame(exporter, heap.exporter());
        assertEquals(BUNDLE, heap.description().bundle());
        assertEquals(List.of(heap), table.present());
        assertFalse(heap.refused());
        assertEquals("heap 'camera'", heap.toString());
    }

    @Test
    void routes_once_read_do_not_change() {
        RoutingTable before = table.routes();
        arrived(1, "camera");
        assertNull(before.named("camera"));
        assertNotSame(before, table.routes());
    }

    /** B waits behind A's name with the id that C has: when A goes, C goes on. */
    @Test
    void a_heap_that_comes_out_of_a_shadow_takes_no_other_out_of_service() {
        arrived(1, "camera", 1);
        arrived(2, "camera", 2);
        RegisteredHeap display = arrived(3, "display", 2);
        assertEquals(HeapState.SERVING, state(display));
        leaves(1);
        assertSame(display, table.routes().named("display"));
        assertNull(table.routes().named("camera"));
        leaves(3);
        assertEquals(2, table.routes().named("camera").service());
    }

    @Test
    void a_heap_that_takes_a_name_that_serves_waits_however_early_it_came() {
        arrived(1, "early");
        RegisteredHeap camera = arrived(2, "camera");
        RegisteredHeap renamed = table.changed(1, () -> Map.of(HeapProperties.NAME, "camera"));
        assertSame(camera, table.routes().named("camera"));
        assertEquals(HeapState.SHADOWED, state(renamed));
        leaves(2);
        assertSame(renamed, table.routes().named("camera"));
    }

    @Test
    void a_heap_that_takes_an_id_that_serves_waits_and_takes_its_name_with_it() {
        arrived(1, "early", 1);
        RegisteredHeap camera = arrived(2, "camera", 2);
        RegisteredHeap moved = table.changed(1, () -> Map.of(HeapProperties.NAME, "early", HeapProperties.ID, 2));
        assertSame(camera, table.routes().first(table.routes().places(1L << 2)));
        assertEquals(HeapState.SHADOWED, state(moved));
    }

    @Test
    void a_service_without_an_object_is_refused() {
        RegisteredHeap heap = table.arrived(1, null, Map.of(HeapProperties.NAME, "camera"), BUNDLE);
        assertTrue(heap.refused());
        assertEquals(HeapState.REFUSED, state(heap));
        assertEquals("its service object is null", heap.refusal());
        assertNull(table.routes().named("camera"));
    }

    @Test
    void a_heap_that_announces_nonsense_is_refused_with_the_reason() {
        RegisteredHeap heap = table.arrived(3, new FakeHeap(), Map.of(HeapProperties.ID, 64), BUNDLE);
        assertEquals(HeapState.REFUSED, state(heap));
        assertEquals("service 3", heap.name());
        assertEquals("heap.id is 64, outside 0 to 63", heap.refusal());
        assertEquals(0, table.routes().size());
    }

    @Test
    void a_changed_id_moves_the_heap_in_the_masks() {
        RegisteredHeap before = arrived(1, "camera", 3);
        RegisteredHeap after = table.changed(1, () -> Map.of(HeapProperties.NAME, "camera", HeapProperties.ID, 40));
        assertEquals(0, table.routes().places(1L << 3));
        assertSame(after, table.routes().first(table.routes().places(1L << 40)));
        assertSame(before.gate(), after.gate());
        assertSame(before.exporter(), after.exporter());
        assertSame(before.account(), after.account());
        assertEquals(OptionalInt.of(40), after.description().id());
        assertEquals(BUNDLE, after.description().bundle());
    }

    @Test
    void a_changed_name_is_the_one_to_ask_for() {
        arrived(1, "camera");
        RegisteredHeap after = table.changed(1, () -> Map.of(HeapProperties.NAME, "front"));
        assertNull(table.routes().named("camera"));
        assertSame(after, table.routes().named("front"));
        assertEquals(1, table.present().size());
    }

    @Test
    void buffers_of_a_heap_that_took_another_name_stay_listed_under_the_old_one() {
        RegisteredHeap before = arrived(1, "camera");
        UsageSums.charge(before.account(), 4096);
        RegisteredHeap after = table.changed(1, () -> Map.of(HeapProperties.NAME, "front"));
        assertEquals(0, after.account().buffers());
        assertEquals(List.of("camera"), departed());
        RegisteredHeap back = table.changed(1, () -> Map.of(HeapProperties.NAME, "camera"));
        assertSame(before.account(), back.account());
        assertEquals(List.of(), departed());
        UsageSums.uncharge(back.account(), 4096);
    }

    @Test
    void a_heap_that_changes_to_nonsense_is_refused_and_its_buffers_stay_listed() {
        RegisteredHeap before = arrived(1, "camera");
        UsageSums.charge(before.account(), 4096);
        RegisteredHeap after = table.changed(1, () -> Map.of(HeapProperties.NAME, "camera", HeapProperties.ID, -1));
        assertEquals(HeapState.REFUSED, state(after));
        assertNull(table.routes().named("camera"));
        assertEquals(List.of("camera"), departed());
        leaves(1);
        assertEquals(List.of("camera"), departed());
        UsageSums.uncharge(before.account(), 4096);
        assertEquals(List.of(), departed());
    }

    @Test
    void a_heap_that_mends_its_properties_serves() {
        RegisteredHeap refused = table.arrived(1, new FakeHeap(), Map.of(), BUNDLE);
        RegisteredHeap mended = table.changed(1, () -> Map.of(HeapProperties.NAME, "camera"));
        assertFalse(mended.refused());
        assertSame(refused.exporter(), mended.exporter());
        assertSame(mended, table.routes().named("camera"));
        UsageSums.charge(mended.account(), 1);
        assertSame(mended.account(), table.changed(1, () -> Map.of(HeapProperties.NAME, "camera")).account());
    }

    @Test
    void a_change_keeps_the_place_in_the_order_of_arrival() {
        arrived(1, "camera");
        arrived(2, "early");
        arrived(3, "camera");
        RegisteredHeap renamed = table.changed(2, () -> Map.of(HeapProperties.NAME, "camera"));
        leaves(1);
        assertSame(renamed, table.routes().named("camera")); // and not the third, which asked for the name first
    }

    @Test
    void a_change_of_an_unknown_service_is_nothing() {
        RegisteredHeap camera = arrived(1, "camera");
        assertNull(table.changed(2, () -> Map.of(HeapProperties.NAME, "front")));
        assertSame(camera, table.routes().named("camera"));
    }

    @Test
    void a_heap_on_its_way_out_is_listed_and_not_asked() {
        RegisteredHeap heap = arrived(1, "camera");
        assertSame(heap, table.leaving(1));
        assertEquals(HeapState.DRAINING, state(heap));
        assertNull(table.routes().named("camera"));
        assertEquals(List.of(heap), table.present());
        assertNull(table.changed(1, () -> Map.of(HeapProperties.NAME, "camera")));
        assertNull(table.leaving(1));
        table.gone(heap);
        assertEquals(List.of(), table.routes().listed());
        assertEquals(List.of(), table.present());
        assertEquals(List.of(), departed());
    }

    @Test
    void the_heap_in_the_shadow_takes_over_as_soon_as_the_first_is_leaving() {
        arrived(1, "camera");
        RegisteredHeap second = arrived(2, "camera");
        RegisteredHeap first = table.leaving(1);
        assertSame(second, table.routes().named("camera"));
        table.gone(first);
        assertSame(second, table.routes().named("camera"));
        assertNull(table.leaving(1));
    }

    @Test
    void a_heap_that_has_left_is_listed_for_as_long_as_buffers_of_it_live() {
        RegisteredHeap heap = arrived(1, "camera");
        UsageSums.charge(heap.account(), 4096);
        UsageSums.charge(heap.account(), 8192);
        leaves(1);
        assertEquals(List.of("camera"), departed());
        assertSame(heap.account(), table.departed().getFirst().account());
        UsageSums.uncharge(heap.account(), 4096);
        assertEquals(List.of("camera"), departed());
        UsageSums.uncharge(heap.account(), 8192);
        assertEquals(List.of(), departed());
    }

    @Test
    void an_account_goes_on_when_a_heap_of_the_same_name_returns() {
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
    void a_heap_in_the_shadow_counts_on_the_account_that_it_may_inherit() {
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
    void a_refused_heap_counts_on_nobody_elses_account() {
        RegisteredHeap camera = arrived(1, "camera");
        RegisteredHeap refused =
                table.arrived(2, new FakeHeap(), Map.of(HeapProperties.NAME, "camera", HeapProperties.ID, 99), BUNDLE);
        assertNotSame(camera.account(), refused.account());
        UsageSums.charge(camera.account(), 1);
        leaves(2);
        assertEquals(List.of(), departed());
    }

    @Test
    void a_buffer_that_is_made_while_its_heap_leaves_is_counted_and_listed() {
        // The heap takes its service away from within allocate: the drain ignores the thread inside.
        RegisteredHeap heap = arrived(1, "camera");
        int ticket = heap.gate().enter();
        table.leaving(1);
        assertEquals(0, heap.gate().close(0));
        table.gone(heap);
        assertEquals(List.of(), departed()); // no buffer yet
        UsageSums.charge(heap.account(), 4096);
        heap.gate().leave(ticket);
        assertEquals(List.of("camera"), departed());
        assertSame(heap.account(), arrived(2, "camera").account());
        UsageSums.uncharge(heap.account(), 4096);
        leaves(2);
        assertEquals(List.of(), departed());
    }

    @Test
    void ten_thousand_heaps_that_came_and_went_leave_nothing() throws Exception {
        RegisteredHeap stays = arrived(0, "stays");
        for (int i = 1; i <= 10_000; i++) {
            RegisteredHeap heap = arrived(i, "heap" + i % 100, i % 64);
            UsageSums.charge(heap.account(), 4096);
            Map<String, String> renamed = Map.of(HeapProperties.NAME, "renamed" + i);
            table.changed(i, () -> renamed);
            leaves(i);
            UsageSums.uncharge(heap.account(), 4096);
            if (i % 100 == 0) {
                assertTrue(size("accounts") <= 3, () -> "after heap " + heap.service());
            }
        }
        assertEquals(List.of(), table.departed());
        assertEquals(List.of(stays), table.present());
        assertEquals(1, table.routes().listed().size());
        assertEquals(1, size("arrivals"));
        assertEquals(0, size("draining"));
        assertEquals(0, size("departed"));
        assertEquals(1, size("accounts"));
    }

    /** How many entries a collection of the table has; there is no other way to see that nothing grows. */
    private int size(String field) throws ReflectiveOperationException {
        var declared = HeapRegistry.class.getDeclaredField(field);
        declared.setAccessible(true);
        Object value = declared.get(table);
        return value instanceof Map<?, ?> map ? map.size() : ((Collection<?>) value).size();
    }

    @Test
    void a_heap_that_has_left_is_not_kept_by_its_buffers() {
        RegisteredHeap[] heap = {arrived(1, "camera")};
        HeapAccount account = heap[0].account();
        UsageSums.charge(account, 4096);
        leaves(1);
        WeakReference<HeapExporter> exporter = new WeakReference<>(heap[0].exporter());
        heap[0] = null;
        Await.untilCollected("the exporter goes", () -> exporter.refersTo(null));
        assertEquals(List.of("camera"), departed());
    }

    /** A vendor may give equals a meaning of its own, or a fault. */
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
    void of_two_changes_at_once_the_later_one_stays() {
        arrived(1, "camera");
        RegisteredHeap older = table.changed(1, () -> {
            table.changed(1, () -> Map.of(HeapProperties.NAME, "newer"));
            return Map.of(HeapProperties.NAME, "older");
        });
        assertEquals("newer", older.name());
        assertSame(older, table.routes().named("newer"));
        assertNull(table.routes().named("older"));
        table.changed(1, () -> Map.of(HeapProperties.NAME, "newest"));
        assertEquals(1, table.routes().named("newest").service());
    }

    @Test
    void a_list_that_a_heap_announced_is_read_outside_the_lock() {
        int[] read = new int[1];
        List<String> own = Collections.unmodifiableList(new AbstractList<String>() { // a vendor's, behind one of Java's
            @Override
            public String get(int index) {
                assertFalse(Thread.holdsLock(table), "a vendor's code ran under the lock");
                read[0]++;
                return "contiguous";
            }

            @Override
            public int size() {
                return 1;
            }
        });
        table.arrived(1, new FakeHeap(), Map.of(HeapProperties.NAME, "camera", HeapProperties.EMULATES, own), BUNDLE);
        int before = read[0];
        assertTrue(before > 0);
        RegisteredHeap after =
                table.changed(1, () -> Map.of(HeapProperties.NAME, "camera", HeapProperties.EMULATES, own));
        assertTrue(read[0] > before);
        assertEquals(Set.of("contiguous"), after.description().emulates());
        assertEquals(BUNDLE, after.description().bundle());
    }

    @Test
    void a_closed_table_lists_every_heap_as_draining_until_it_is_gone() {
        RegisteredHeap leaving = arrived(1, "leaving");
        arrived(2, "camera");
        RegisteredHeap shadowed = arrived(3, "camera");
        table.leaving(1);
        assertEquals(3, table.close().size());
        assertEquals(
                List.of(HeapState.DRAINING, HeapState.DRAINING, HeapState.DRAINING),
                table.routes().listed().stream().map(HeapStanding::state).toList());
        assertEquals(0, table.routes().size());
        table.gone(leaving);
        assertSame(shadowed, table.leaving(3));
        table.gone(shadowed);
        assertNull(table.leaving(3));
        leaves(2);
        assertEquals(List.of(), table.routes().listed());
        assertEquals(List.of(), table.present());
    }

    @Test
    void no_code_of_a_heap_runs_while_it_comes_changes_and_goes() throws Exception {
        Map<String, Object> properties = new HashMap<>(Map.of(HeapProperties.NAME, "camera"));
        table.arrived(1, new Quarrelsome(), properties, BUNDLE);
        table.arrived(2, new Quarrelsome(), properties, BUNDLE);
        table.changed(1, () -> properties);
        RegisteredHeap one = table.leaving(1);
        RegisteredHeap two = table.leaving(2);
        assertTrue(table.routes().listed().toString().contains("DRAINING"));
        table.gone(two);
        table.gone(one);
        assertEquals(List.of(), table.present());
    }
}
