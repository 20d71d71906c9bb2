// SPDX-License-Identifier: Apache-2.0
package org.example.banked;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.HeapFacts;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class BankedHeapTest {
    private final Announced announced = new Announced();
    private final BankedHeap heap = new BankedHeap(announced.context(), Map.of());

    @AfterEach
    void stop() {
        heap.stop();
    }

    @TestFactory
    Stream<DynamicTest> the_heap_keeps_the_contract() {
        Announced.Heap service = announced.awaited();
        return HeapContract.of(service.exporter(), service.properties()).cases().stream()
                .filter(one -> one.skipReason().isEmpty())
                .map(one -> DynamicTest.dynamicTest(one.name(), one::run));
    }

    @Test
    void the_demand_of_the_device_has_the_declared_kind_and_the_heap_meets_it() {
        Map<String, Object> properties = announced.awaited().properties();
        Demand demand = new BankedDevice().demands(BankedDevice.DEVICE).getFirst();
        assertEquals(
                ConstraintKind.parse(
                        properties.get(HeapProperties.CONSTRAINT_KINDS).toString()),
                demand.kind());
        assertTrue(demand.value().isMetBy(HeapFacts.of(properties), 4096));
        Map<String, Object> another = new HashMap<>(properties);
        another.put(BankedHeap.BANK, 3);
        assertFalse(demand.value().isMetBy(HeapFacts.of(another), 4096));
        assertEquals(List.of(), new BankedDevice().demands("/dev/video0"));
    }
}
