// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.osgi.framework.InvalidSyntaxException;

class RoutingTableTest {
    private long services;

    private RegisteredHeap heap(String name, Map<String, ?> properties) {
        Map<String, Object> all = new HashMap<>(properties);
        all.put(HeapProperties.NAME, name);
        try {
            return new RegisteredHeap(
                    0,
                    ++services,
                    new FakeHeap(),
                    new CallGate(),
                    HeapDescription.of(all, "bundle of " + name),
                    "",
                    new HeapAccount("system"));
        } catch (HeapDescription.Refused e) {
            throw new AssertionError(e);
        }
    }

    private RegisteredHeap heap(String name, int id, int priority) {
        return heap(name, Map.of(HeapProperties.ID, id, HeapProperties.PRIORITY, priority));
    }

    private RegisteredHeap heap(String name) {
        return heap(name, Map.of());
    }

    private RegisteredHeap refused(String name) {
        return new RegisteredHeap(
                0,
                ++services,
                new FakeHeap(),
                new CallGate(),
                HeapDescription.refused("service", Map.of(HeapProperties.NAME, name), "a bundle"),
                "it says nonsense",
                new HeapAccount("system"));
    }

    private static RoutingTable routes(RegisteredHeap... arrivals) {
        return RoutingTable.of(List.of(arrivals), List.of());
    }

    /** Returns the heaps of a mask in the order in which the allocator asks them. */
    private static List<RegisteredHeap> walk(RoutingTable routes, long mask) {
        List<RegisteredHeap> asked = new ArrayList<>();
        for (long places = routes.places(mask); places != 0; places &= places - 1) {
            asked.add(routes.first(places));
        }
        return asked;
    }

    private static List<RegisteredHeap> inOrder(RoutingTable routes) {
        return IntStream.range(0, routes.size()).mapToObj(routes::inOrder).toList();
    }

    private static boolean meets(RoutingTable routes, RegisteredHeap heap, String filter)
            throws InvalidSyntaxException {
        return routes.met(routes.meeting(filter), heap);
    }

    private static HeapStanding listed(RoutingTable routes, RegisteredHeap heap) {
        return routes.listed().stream()
                .filter(listed -> listed.heap() == heap)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void a_heap_is_found_by_its_name() {
        RegisteredHeap camera = heap("camera");
        RegisteredHeap system = heap("system");
        RoutingTable routes = routes(camera, system);
        assertSame(camera, routes.named("camera"));
        assertSame(system, routes.named("system"));
        assertNull(routes.named("Camera"));
        assertNull(routes.named(""));
    }

    @Test
    void without_heaps_no_heap_is_found() {
        assertEquals(0, RoutingTable.NONE.size());
        assertEquals(0, RoutingTable.NONE.places(-1L));
        assertNull(RoutingTable.NONE.named("system"));
        assertEquals(List.of(), RoutingTable.NONE.listed());
    }

    @Test
    void the_highest_priority_is_asked_first_then_the_highest_id_then_the_first_to_arrive() {
        RegisteredHeap late = heap("late");
        RegisteredHeap later = heap("later");
        RegisteredHeap low = heap("low", 60, -1);
        RegisteredHeap three = heap("three", 3, 0);
        RegisteredHeap five = heap("five", 5, 0);
        RegisteredHeap high = heap("high", 0, 7);
        RoutingTable routes = routes(late, low, later, three, high, five);
        assertEquals(List.of(high, five, three, late, later, low), inOrder(routes));
        assertEquals(
                List.of(high, five, three, late, later, low),
                routes.listed().stream().map(HeapStanding::heap).toList());
    }

    @Test
    void the_extremes_of_priority_do_not_overflow() {
        RegisteredHeap lowest = heap("lowest", 1, Integer.MIN_VALUE);
        RegisteredHeap highest = heap("highest", 2, Integer.MAX_VALUE);
        RegisteredHeap usual = heap("usual", 3, 0);
        assertEquals(List.of(highest, usual, lowest), inOrder(routes(lowest, highest, usual)));
    }

    @Test
    void bits_31_32_and_63_work_like_any_other() {
        RegisteredHeap thirtyOne = heap("thirty-one", 31, 0);
        RegisteredHeap thirtyTwo = heap("thirty-two", 32, 0);
        RegisteredHeap sixtyThree = heap("sixty-three", 63, 0);
        RegisteredHeap zero = heap("zero", 0, 0);
        RoutingTable routes = routes(thirtyOne, zero, sixtyThree, thirtyTwo);
        assertEquals(List.of(sixtyThree), walk(routes, 1L << 63));
        assertEquals(List.of(thirtyOne), walk(routes, 1L << 31));
        assertEquals(List.of(thirtyTwo), walk(routes, 1L << 32));
        assertEquals(List.of(zero), walk(routes, 1));
        assertEquals(List.of(sixtyThree, thirtyTwo, thirtyOne), walk(routes, 1 << 31)); // an int: its sign is extended
        assertEquals(List.of(sixtyThree, thirtyTwo, thirtyOne, zero), walk(routes, -1L));
        assertEquals(List.of(), walk(routes, ~(1L << 63 | 1L << 32 | 1L << 31 | 1)));
    }

    @Test
    void a_heap_without_an_id_is_in_no_mask() {
        RoutingTable routes = routes(heap("plain"), heap("numbered", 4, 0));
        assertEquals(1, walk(routes, -1L).size());
        assertEquals("numbered", walk(routes, -1L).getFirst().name());
    }

    /** A sorted list is the model that the routing table is compared with. */
    @RepeatedTest(50)
    void any_mask_yields_the_order_of_a_sorted_list(RepetitionInfo repetition) {
        Random random = new Random(repetition.getCurrentRepetition());
        List<Integer> ids = new ArrayList<>(IntStream.range(0, 64).boxed().toList());
        Collections.shuffle(ids, random);
        int count = repetition.getCurrentRepetition() == 1 ? 64 : random.nextInt(65);
        List<RegisteredHeap> arrivals = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            arrivals.add(heap("heap" + i, ids.get(i), random.nextInt(5) - 2));
        }
        arrivals.add(heap("plain"));
        RoutingTable routes = RoutingTable.of(arrivals, List.of());

        for (int i = 0; i < 200; i++) {
            long mask = switch (i) {
                case 0 -> 0;
                case 1 -> -1L;
                case 2 -> Long.MIN_VALUE;
                case 3 -> 1L << 31;
                default -> random.nextLong() & random.nextLong();
            };
            List<RegisteredHeap> model = arrivals.stream()
                    .filter(heap -> heap.description().id().isPresent()
                            && (mask & 1L << heap.description().id().getAsInt()) != 0)
                    .sorted(Comparator.comparing(
                                    (RegisteredHeap heap) -> -heap.description().priority())
                            .thenComparing(heap -> -heap.description().id().getAsInt()))
                    .toList();
            assertEquals(model, walk(routes, mask), () -> "mask 0x" + Long.toHexString(mask));
        }
    }

    @Test
    void the_first_of_two_heaps_of_one_name_serves_and_the_other_has_a_reason() {
        RegisteredHeap first = heap("camera", 1, 0);
        RegisteredHeap second = heap("camera", 2, 9);
        RoutingTable routes = routes(first, second);
        assertSame(first, routes.named("camera"));
        assertEquals(List.of(first), inOrder(routes));
        assertEquals(List.of(), walk(routes, 1L << 2));
        assertEquals(HeapState.SHADOWED, listed(routes, second).state());
        assertEquals(
                "its name is taken by the heap of bundle bundle of camera; it serves when that heap leaves",
                listed(routes, second).reason());
    }

    @Test
    void the_first_of_two_heaps_of_one_id_serves_and_the_other_has_a_reason() {
        RegisteredHeap first = heap("camera", 5, 0);
        RegisteredHeap second = heap("display", 5, 9);
        RoutingTable routes = routes(first, second);
        assertEquals(List.of(first), walk(routes, 1L << 5));
        assertNull(routes.named("display"));
        assertEquals(HeapState.SHADOWED, listed(routes, second).state());
        assertEquals(
                "its heap.id 5 is taken by heap 'camera' of bundle bundle of camera; it serves when that heap leaves",
                listed(routes, second).reason());
    }

    @Test
    void a_heap_is_found_by_its_gate_whatever_its_present_name() throws Exception {
        RegisteredHeap camera = heap("camera");
        RegisteredHeap renamed = new RegisteredHeap(
                0,
                camera.service(),
                camera.exporter(),
                camera.gate(),
                HeapDescription.of(Map.of(HeapProperties.NAME, "front"), "a bundle"),
                "",
                new HeapAccount("system"));
        RegisteredHeap leaving = heap("leaving");
        RoutingTable routes = RoutingTable.of(List.of(heap("other"), renamed), List.of(leaving));
        assertSame(renamed, routes.at(camera.gate()).heap());
        assertEquals(HeapState.DRAINING, routes.at(leaving.gate()).state());
        assertNull(routes.at(new CallGate()));
    }

    @Test
    void a_shadowed_heap_does_not_shadow_another() {
        RegisteredHeap first = heap("camera", 1, 0);
        RegisteredHeap shadowed = heap("camera", 2, 0);
        RegisteredHeap other = heap("display", 2, 0);
        assertEquals(List.of(other, first), inOrder(routes(first, shadowed, other)));
    }

    @Test
    void when_the_first_leaves_the_next_in_order_of_arrival_serves() {
        RegisteredHeap first = heap("camera", 1, 0);
        RegisteredHeap second = heap("camera", 2, 0);
        RegisteredHeap third = heap("camera", 3, 9);
        RoutingTable routes = RoutingTable.of(List.of(second, third), List.of(first));
        assertSame(second, routes.named("camera"));
        assertEquals(HeapState.SERVING, listed(routes, second).state());
        assertEquals("", listed(routes, second).reason());
        assertEquals(HeapState.SHADOWED, listed(routes, third).state());
        assertEquals(HeapState.DRAINING, listed(routes, first).state());
        assertEquals(
                "it is leaving and accepts no more requests",
                listed(routes, first).reason());
        assertEquals(List.of(), walk(routes, 1L << 1));

        RegisteredHeap byId = heap("display", 7, 0);
        RegisteredHeap waiting = heap("encoder", 7, 0);
        assertEquals(List.of(waiting), walk(RoutingTable.of(List.of(waiting), List.of(byId)), 1L << 7));
    }

    @Test
    void a_refused_heap_never_serves_and_keeps_no_name_from_others() {
        RegisteredHeap refused = refused("camera");
        RegisteredHeap camera = heap("camera");
        RoutingTable routes = routes(refused, camera);
        assertSame(camera, routes.named("camera"));
        assertEquals(List.of(camera), inOrder(routes));
        assertEquals(HeapState.REFUSED, listed(routes, refused).state());
        assertEquals("it says nonsense", listed(routes, refused).reason());
    }

    @Test
    void serving_heaps_are_listed_before_the_others() {
        RegisteredHeap refused = refused("refused");
        RegisteredHeap camera = heap("camera");
        RegisteredHeap shadowed = heap("camera", 4, 9);
        RegisteredHeap leaving = heap("leaving", 3, 9);
        RegisteredHeap system = heap("system", 1, 1);
        RoutingTable routes = RoutingTable.of(List.of(refused, camera, shadowed, system), List.of(leaving));
        assertEquals(
                List.of(
                        HeapState.SERVING,
                        HeapState.SERVING,
                        HeapState.REFUSED,
                        HeapState.SHADOWED,
                        HeapState.DRAINING),
                routes.listed().stream().map(HeapStanding::state).toList());
        assertSame(system, routes.listed().getFirst().heap());
    }

    @Test
    void a_requirement_is_matched_with_each_heaps_properties() throws Exception {
        RegisteredHeap scattered = heap("scattered", Map.of("heap.contiguous", false));
        RegisteredHeap contiguous =
                heap("contiguous", Map.of("heap.contiguous", true, "heap.contiguous.max", 1L << 21));
        RoutingTable routes = routes(scattered, contiguous);
        for (int again = 0; again < 2; again++) { // evaluated, then cached
            assertFalse(meets(routes, scattered, "(heap.contiguous=true)"));
            assertTrue(meets(routes, contiguous, "(heap.contiguous=true)"));
            assertTrue(meets(routes, scattered, "(!(heap.contiguous=true))"));
            assertFalse(meets(routes, scattered, "(&(heap.name=*)(heap.contiguous.max>=2097152))"));
            assertTrue(meets(routes, contiguous, "(&(heap.name=*)(heap.contiguous.max>=2097152))"));
        }
    }

    @Test
    void an_emulated_property_counts_as_real() throws Exception {
        RegisteredHeap emulating = heap("emulating", Map.of("heap.emulates", new String[] {"contiguous", "protected"}));
        RegisteredHeap real = heap("real", Map.of("heap.contiguous", true));
        RoutingTable routes = routes(emulating, real);
        for (int again = 0; again < 2; again++) {
            assertTrue(meets(routes, emulating, "(heap.contiguous=true)"));
            assertTrue(meets(routes, emulating, "(&(heap.contiguous=true)(heap.protected=true))"));
            assertTrue(meets(routes, real, "(heap.contiguous=true)"));
            assertFalse(meets(routes, real, "(heap.protected=true)"));
        }
    }

    @Test
    void a_property_that_is_not_announced_has_its_documented_default() throws Exception {
        RegisteredHeap plain = heap("plain");
        RoutingTable routes = routes(plain);
        for (String met : List.of(
                "(heap.cached=true)",
                "(heap.mappable=true)",
                "(heap.dmabuf=false)",
                "(heap.contiguous=false)",
                "(heap.protected=false)",
                "(heap.export.readonly=false)",
                "(heap.priority=0)",
                "(heap.alignment=4096)",
                "(heap.contiguous.max<=4096)",
                "(!(heap.id=*))")) {
            assertTrue(meets(routes, plain, met), met);
        }
        RegisteredHeap uncached = heap("uncached", Map.of("heap.cached", false));
        assertFalse(meets(routes(uncached), uncached, "(heap.cached=true)"));
    }

    @Test
    void requirements_beyond_the_cache_size_are_still_matched() throws Exception {
        RegisteredHeap camera = heap("camera", Map.of("vendor.speed", 300));
        RoutingTable routes = routes(camera);
        for (int speed = 0; speed < 600; speed++) {
            assertEquals(speed <= 300, meets(routes, camera, "(vendor.speed>=" + speed + ")"));
        }
        assertTrue(meets(routes, camera, "(vendor.speed>=299)"));
        assertFalse(meets(routes, camera, "(vendor.speed>=599)"));
    }

    @Test
    void an_invalid_filter_is_refused_each_time() {
        RegisteredHeap camera = heap("camera");
        RoutingTable routes = routes(camera);
        for (int again = 0; again < 2; again++) {
            assertThrows(InvalidSyntaxException.class, () -> meets(routes, camera, "(heap.contiguous=true"));
        }
        assertThrows(InvalidSyntaxException.class, () -> RoutingTable.NONE.meeting("(heap.contiguous=true"));
    }
}
