// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.broker.RecordedBrokerEvents;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.junit.jupiter.api.Test;

class HeapChangeReporterTest {
    private final HeapRegistry registry = new HeapRegistry(new Ledger());
    private final RecordedBrokerEvents events = new RecordedBrokerEvents();
    private final HeapChangeReporter reporter = new HeapChangeReporter(registry, events);

    private void arrives(long service, String name, Map<String, ?> properties) {
        Map<String, Object> all = new HashMap<>(properties);
        all.put(HeapProperties.NAME, name);
        registry.arrived(service, new FakeHeap(), all, "bundle" + service);
        reporter.reportChanges();
    }

    private void arrives(long service, String name) {
        arrives(service, name, Map.of());
    }

    private void changes(long service, String name, Map<String, ?> properties) {
        Map<String, Object> all = new HashMap<>(properties);
        all.put(HeapProperties.NAME, name);
        registry.changed(service, () -> all);
        reporter.reportChanges();
    }

    /** Reports changes as the component does. */
    private RegisteredHeap beginsToLeave(long service) {
        RegisteredHeap heap = registry.leaving(service);
        reporter.reportChanges();
        reporter.draining(service);
        return heap;
    }

    private void hasLeft(RegisteredHeap heap) {
        registry.gone(heap);
        reporter.departed(heap);
    }

    private List<String> reported() {
        return events.changes.stream()
                .map(change -> change.heap() + " " + change.bundle() + " " + change.state())
                .toList();
    }

    private HeapState last(String name) {
        return events.changes.stream()
                .filter(change -> change.heap().equals(name))
                .reduce((first, second) -> second)
                .orElseThrow()
                .state();
    }

    @Test
    void a_heap_that_takes_over_a_name_is_reported_when_its_predecessor_has_departed() {
        arrives(1, "camera");
        arrives(2, "camera");
        RegisteredHeap leaving = beginsToLeave(1);
        assertEquals(List.of("camera bundle1 SERVING", "camera bundle1 DRAINING"), reported());
        hasLeft(leaving);
        assertEquals(
                List.of(
                        "camera bundle1 SERVING",
                        "camera bundle1 DRAINING",
                        "camera bundle1 DEPARTED",
                        "camera bundle2 SERVING"),
                reported());
    }

    @Test
    void a_successor_that_leaves_while_its_predecessor_drains_is_not_reported() {
        arrives(1, "camera");
        arrives(2, "camera");
        RegisteredHeap first = beginsToLeave(1);
        RegisteredHeap second = beginsToLeave(2);
        hasLeft(second);
        hasLeft(first);
        assertEquals(
                List.of("camera bundle1 SERVING", "camera bundle1 DRAINING", "camera bundle1 DEPARTED"), reported());
    }

    @Test
    void a_heap_that_returns_while_it_drains_is_reported_after_its_departure() {
        arrives(1, "camera");
        RegisteredHeap leaving = beginsToLeave(1);
        arrives(2, "camera");
        hasLeft(leaving);
        assertEquals(HeapState.SERVING, last("camera"));
        assertEquals(4, events.changes.size());
    }

    @Test
    void a_rename_is_reported_as_departure_and_arrival_and_the_successor_afterwards() {
        arrives(1, "camera");
        arrives(2, "camera");
        changes(1, "front", Map.of());
        assertEquals(
                List.of(
                        "camera bundle1 SERVING",
                        "camera bundle1 DEPARTED",
                        "front bundle1 SERVING",
                        "camera bundle2 SERVING"),
                reported());
    }

    @Test
    void a_change_of_properties_without_a_change_of_state_is_not_reported() {
        arrives(1, "camera");
        changes(1, "camera", Map.of(HeapProperties.PRIORITY, 7));
        assertEquals(List.of("camera bundle1 SERVING"), reported());
    }

    @Test
    void the_end_of_a_heap_that_never_served_is_not_reported() {
        arrives(1, "camera");
        arrives(2, "camera");
        hasLeft(beginsToLeave(2));
        assertEquals(List.of("camera bundle1 SERVING"), reported());
    }

    @Test
    void a_blocking_receiver_delays_no_other_thread_and_gets_all_reports_in_order() throws Exception {
        CountDownLatch blocked = new CountDownLatch(1);
        CountDownLatch released = new CountDownLatch(1);
        BrokerEvents slow = new BrokerEvents() {
            @Override
            public void changed(String heap, String bundle, HeapState state, long buffers) {
                events.changed(heap, bundle, state, buffers);
                if (heap.equals("slow")) {
                    blocked.countDown();
                    await(released);
                }
            }
        };
        HeapChangeReporter other = new HeapChangeReporter(registry, slow);
        registry.arrived(1, new FakeHeap(), Map.of(HeapProperties.NAME, "slow"), "bundle1");
        Thread first = Thread.ofPlatform().start(other::reportChanges);
        await(blocked);
        registry.arrived(2, new FakeHeap(), Map.of(HeapProperties.NAME, "quick"), "bundle2");
        other.reportChanges(); // the call returns
        released.countDown();
        first.join();
        assertEquals(List.of("slow bundle1 SERVING", "quick bundle2 SERVING"), reported());
    }

    @Test
    void a_throwing_receiver_loses_no_other_report() {
        HeapChangeReporter other = new HeapChangeReporter(registry, new BrokerEvents() {
            @Override
            public void changed(String heap, String bundle, HeapState state, long buffers) {
                events.changed(heap, bundle, state, buffers);
                throw new AssertionError("made up");
            }
        });
        registry.arrived(1, new FakeHeap(), Map.of(HeapProperties.NAME, "one"), "bundle1");
        registry.arrived(2, new FakeHeap(), Map.of(HeapProperties.NAME, "two"), "bundle2");
        other.reportChanges();
        assertEquals(2, events.changes.size());
    }

    /** Two heaps of one name arrive and leave on separate threads; afterwards the last event must be true. */
    @Test
    void however_two_heaps_of_one_name_come_and_go_the_last_event_is_true() {
        new Race()
                .before(round -> {
                    events.changes.clear();
                    arrives(2L * round + 10, "camera");
                    arrives(2L * round + 11, "camera");
                })
                .with(round -> hasLeft(beginsToLeave(2L * round + 10)))
                .with(round -> {
                    if (round % 2 == 0) {
                        hasLeft(beginsToLeave(2L * round + 11));
                    } else {
                        changes(2L * round + 11, "camera", Map.of(HeapProperties.PRIORITY, 3));
                    }
                })
                .after(round -> {
                    boolean serves = registry.routes().named("camera") != null;
                    assertEquals(round % 2 != 0, serves);
                    assertEquals(serves ? HeapState.SERVING : HeapState.DEPARTED, last("camera"));
                    if (serves) {
                        hasLeft(beginsToLeave(2L * round + 11));
                    }
                })
                .run(2000);
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(30, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
