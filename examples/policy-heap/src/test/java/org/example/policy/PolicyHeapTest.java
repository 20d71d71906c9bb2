// SPDX-License-Identifier: Apache-2.0
package org.example.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class PolicyHeapTest {
    private final Announced announced = new Announced();
    private final MemfdSource other = MemfdSource.open("system");
    private final PolicyHeap heap = new PolicyHeap(announced.context(), Map.entry(announcement(), other));

    private Map<String, Object> announcement() {
        Map<String, Object> properties = new HashMap<>(other.properties());
        properties.put(HeapProperties.NAME, "system");
        properties.put("service.id", 7L);
        return properties;
    }

    @AfterEach
    void the_heap_leaves_and_the_other_one_is_closed() {
        heap.stop();
        assertEquals(List.of(), announced.heaps());
        other.close();
    }

    @TestFactory
    Stream<DynamicTest> the_heap_keeps_the_contract() {
        Announced.Heap service = announced.awaited();
        return HeapContract.of(service.exporter(), service.properties()).cases().stream()
                .filter(one -> one.skipReason().isEmpty())
                .map(one -> DynamicTest.dynamicTest(one.name(), one::run));
    }

    @Test
    void a_buffer_above_the_limit_is_refused_so_that_the_broker_asks_the_next_heap() {
        HeapRequest request = HeapRequest.of(PolicyHeap.LARGEST);
        announced.awaited().exporter().allocate(request).release();
        HeapException refusal = assertThrows(
                HeapException.class,
                () -> announced.awaited().exporter().allocate(request.withSize(PolicyHeap.LARGEST + 1)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.getMessage().contains("a buffer has at most 1048576"), refusal.getMessage());
    }

    @Test
    void the_facts_on_the_memory_are_those_of_the_other_heap() {
        Map<String, Object> properties = announced.awaited().properties();
        assertEquals("small", properties.get(HeapProperties.NAME));
        assertEquals("memfd", properties.get(HeapProperties.BACKEND));
        assertEquals(PolicyHeap.LARGEST, properties.get(HeapProperties.SIZE_MAX));
    }
}
