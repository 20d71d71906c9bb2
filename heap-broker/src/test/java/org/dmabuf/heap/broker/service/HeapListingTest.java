// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.heap.CallGate;
import org.dmabuf.heap.broker.heap.CallGateTest;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HeapListingTest {
    private final BrokerParts broker = new BrokerParts();

    @AfterEach
    void stop() {
        broker.close();
    }

    private List<HeapInfo> heaps() {
        return broker.heaps();
    }

    private long buffersListed() {
        return heaps().stream().mapToLong(info -> info.charged().liveBuffers()).sum();
    }

    private static HeapExporter telling(Supplier<HeapUsage> usage) {
        return new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                return new FakeMemory(request.size());
            }

            @Override
            public HeapUsage usage() {
                return usage.get();
            }
        };
    }

    @Test
    void a_serving_heap_is_listed_with_its_usage_and_its_charges() {
        broker.heap("camera", new FakeHeap(), Map.of(HeapProperties.TYPE, "carveout"));
        BufferReference one = broker.allocate(4096);
        BufferReference two = broker.allocate(8192);
        HeapInfo info = broker.info("camera", HeapState.SERVING);
        assertEquals(2, info.charged().liveBuffers());
        assertEquals(12288, info.charged().liveBytes());
        assertEquals(OptionalLong.of(1 << 20), info.usage().capacity());
        assertEquals(Optional.empty(), info.reason());
        assertEquals("org.example.camera", info.bundle());
        assertEquals("carveout", info.properties().get(HeapProperties.TYPE));
        one.close();
        two.close();
        assertEquals(2, info.charged().liveBuffers(), "a listing is a snapshot");
        assertEquals(0, broker.info("camera", HeapState.SERVING).charged().liveBuffers());
        assertEquals(0, broker.info("camera", HeapState.SERVING).charged().liveBytes());
    }

    @Test
    void a_listing_cannot_be_changed() {
        broker.heap("camera", new FakeHeap());
        assertThrows(UnsupportedOperationException.class, () -> heaps().clear());
        assertThrows(
                UnsupportedOperationException.class,
                () -> heaps().getFirst().properties().clear());
    }

    @Test
    void a_heap_whose_usage_query_fails_is_listed() {
        broker.heap("throws", telling(() -> {
            throw new IllegalStateException("no idea");
        }));
        broker.heap("errs", telling(() -> {
            throw new NoClassDefFoundError("org/example/Gone");
        }));
        broker.heap("silent", telling(() -> null));
        RecordedLog.clear();
        assertEquals(
                List.of("throws", "errs", "silent"),
                heaps().stream().map(HeapInfo::name).toList());
        for (HeapInfo info : heaps()) {
            assertEquals(OptionalLong.empty(), info.usage().capacity());
        }
        assertTrue(RecordedLog.lines().toString().contains("heap 'throws' failed in usage; report that to its vendor"));
        broker.registry.present().forEach(heap -> assertTrue(heap.gate().empty(), heap::toString));
    }

    @Test
    void a_heap_that_does_not_serve_is_not_queried() {
        HeapExporter asked = telling(() -> {
            throw new AssertionError("asked");
        });
        broker.heap("camera", new FakeHeap());
        broker.heap("camera", asked);
        broker.heap("", asked);
        RegisteredHeap leaving = broker.heap("leaving", asked);
        broker.registry.leaving(leaving.service());
        RegisteredHeap closed = broker.heap("closed", asked);
        closed.gate().close(0);
        RecordedLog.clear();
        List<HeapInfo> heaps = heaps();
        assertEquals(
                List.of(
                        HeapState.SERVING,
                        HeapState.SERVING,
                        HeapState.SHADOWED,
                        HeapState.REFUSED,
                        HeapState.DRAINING),
                heaps.stream().map(HeapInfo::state).toList());
        assertEquals(
                List.of(
                        "",
                        "",
                        "its name is taken by the heap of bundle org.example.camera; it serves when that heap leaves",
                        "invalid heap.name: expected a String that is not empty",
                        "it is leaving and accepts no more requests"),
                heaps.stream().map(info -> info.reason().orElse("")).toList());
        heaps.stream()
                .skip(1)
                .forEach(info -> assertEquals(OptionalLong.empty(), info.usage().capacity()));
        assertEquals(List.of(), RecordedLog.lines());
    }

    @Test
    void a_leaving_heap_waits_for_a_usage_query() {
        CallGate[] gate = new CallGate[1];
        int[] inside = {-1};
        RegisteredHeap heap = broker.heap("camera", telling(() -> {
            inside[0] = CallGateTest.onAnotherThread(() -> gate[0].close(0));
            return HeapUsage.unknown();
        }));
        gate[0] = heap.gate();
        heaps();
        assertEquals(1, inside[0]);
    }

    @Test
    void buffers_of_a_heap_that_has_left_are_listed_until_the_last_is_closed() {
        RegisteredHeap heap = broker.heap("camera", new FakeHeap());
        BufferReference reference = broker.allocate(4096);
        broker.remove(heap);
        HeapInfo info = broker.info("camera", HeapState.DEPARTED);
        assertEquals(1, info.charged().liveBuffers());
        assertEquals(4096, info.charged().liveBytes());
        assertEquals(Optional.of("it has left; its buffers are still in use"), info.reason());
        assertEquals(OptionalLong.empty(), info.usage().capacity());
        assertEquals("camera", reference.heapName());
        reference.close();
        assertEquals(List.of(), heaps());
    }

    @Test
    void a_buffer_is_listed_once_when_its_heap_leaves_while_another_of_its_name_serves() {
        RegisteredHeap old = broker.heap("camera", new FakeHeap());
        broker.allocate(4096);
        broker.heap("camera", new FakeHeap());
        assertEquals(1, buffersListed());
        broker.registry.leaving(old.service());
        assertEquals(
                List.of(HeapState.SERVING, HeapState.DRAINING),
                heaps().stream().map(HeapInfo::state).toList());
        assertEquals(1, buffersListed());
        assertEquals(1, broker.info("camera", HeapState.SERVING).charged().liveBuffers());
        broker.registry.gone(old);
        assertEquals(1, buffersListed());
    }

    @Test
    void a_buffer_is_listed_once_when_a_shadowed_heap_leaves() {
        broker.heap("camera", new FakeHeap());
        RegisteredHeap shadowed = broker.heap("camera", new FakeHeap());
        BufferReference reference = broker.allocate(4096);
        broker.registry.leaving(shadowed.service());
        assertEquals(1, buffersListed());
        reference.close();
    }

    @Test
    void a_buffer_is_listed_once_at_every_moment_while_its_heap_leaves_and_returns() {
        RegisteredHeap[] heap = {broker.heap("camera", new FakeHeap())};
        BufferReference reference = broker.allocate(4096);
        new Race()
                .with(round -> {
                    broker.remove(heap[0]);
                    heap[0] = broker.heap("camera", new FakeHeap());
                })
                .with(round -> {
                    for (int i = 0; i < 4; i++) {
                        assertEquals(1, buffersListed());
                    }
                })
                .run(5000);
        reference.close();
    }

    @Test
    void buffers_of_a_heap_that_took_the_id_of_another_stay_listed() {
        RegisteredHeap first =
                broker.heap("display", new FakeHeap(), Map.of(HeapProperties.ID, 1, HeapProperties.PRIORITY, 9));
        broker.heap("camera", new FakeHeap(), Map.of(HeapProperties.ID, 2));
        BufferReference reference = broker.allocate(4096);
        assertEquals("display", reference.heapName());
        broker.registry.changed(first.service(), () -> Map.of(HeapProperties.NAME, "display", HeapProperties.ID, 2));
        assertEquals(1, broker.info("display", HeapState.SHADOWED).charged().liveBuffers());
        assertEquals(1, buffersListed());
        reference.close();
    }

    private Optional<String> plainRefusal(String heap) {
        return broker.info(heap, HeapState.SERVING).plainRefusal();
    }

    @Test
    void the_reason_why_a_heap_refuses_a_plain_request_of_the_client_is_listed() {
        broker.heap("system", new FakeHeap());
        broker.heap("cma", new FakeHeap(), Map.of(HeapProperties.EMULATES, List.of("contiguous")));
        broker.heap(
                "secure",
                new FakeHeap(),
                Map.of(HeapProperties.RESTRICTED, true, HeapProperties.EMULATES, List.of("protected")));
        broker.heap("", new FakeHeap(), Map.of(HeapProperties.EMULATES, "contiguous"));
        assertEquals(Optional.empty(), plainRefusal("system"));
        assertEquals(
                Optional.of("it serves only requests that permit emulation: withEmulations(\"contiguous\")"),
                plainRefusal("cma"));
        assertEquals(
                Optional.of("it serves only requests that permit emulation: withEmulations(\"protected\"); it serves"
                        + " only clients that an allow entry of org.dmabuf.heap.broker names; add"
                        + " secure=org.example.camera"),
                plainRefusal("secure"));
        assertEquals(
                List.of(),
                broker.heaps().stream()
                        .filter(info -> info.state() != HeapState.SERVING
                                && info.plainRefusal().isPresent())
                        .toList());
    }

    @Test
    void an_entry_opens_a_heap_to_one_client_and_closes_it_to_others() {
        broker.heap("secure", new FakeHeap(), Map.of(HeapProperties.RESTRICTED, true));
        broker.heap("system", new FakeHeap());
        String[] none = {};
        broker.ledger.apply(BrokerParts.rules(none, none, none, new String[] {"secure=org.example.camera"}));
        assertEquals(Optional.empty(), plainRefusal("secure"));
        broker.ledger.apply(BrokerParts.rules(
                none, none, none, new String[] {"secure=org.example.camera", "system=org.example.display"}));
        assertEquals(
                Optional.of("it serves only clients that an allow entry of org.dmabuf.heap.broker names; add"
                        + " system=org.example.camera"),
                plainRefusal("system"));
    }

    @Test
    void a_heap_that_waits_for_memory_is_listed_with_its_reason() {
        Map<String, Object> announced = new HashMap<>(Map.of(
                HeapProperties.NAME,
                "camera",
                UnavailableHeap.REASON,
                "512 MiB do not fit",
                UnavailableHeap.PID,
                "org.example.camera~front",
                UnavailableHeap.RETRIED,
                true));
        broker.unavailable.put(7, announced, "org.example");
        HeapInfo info = broker.info("camera", HeapState.WAITING);
        assertEquals(Optional.of("512 MiB do not fit (configuration org.example.camera~front)"), info.reason());
        assertEquals("org.example", info.bundle());
        assertEquals(0, info.charged().liveBuffers());
        announced.put(UnavailableHeap.RETRIED, false);
        broker.unavailable.put(7, announced, "org.example");
        assertEquals(info.reason(), broker.info("camera", HeapState.FAILED).reason());
        broker.unavailable.remove(7);
        assertEquals(List.of(), broker.heaps());
    }

    @Test
    void no_code_of_a_value_that_is_not_a_string_runs_for_the_listing() {
        Object value = new Object() {
            @Override
            public String toString() {
                throw new AssertionError("it ran");
            }
        };
        broker.unavailable.put(7, Map.of(HeapProperties.NAME, value, UnavailableHeap.REASON, value), "org.example");
        assertEquals(Optional.empty(), broker.info("", HeapState.FAILED).reason());
    }
}
