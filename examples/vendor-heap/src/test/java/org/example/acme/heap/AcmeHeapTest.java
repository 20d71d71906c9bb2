// SPDX-License-Identifier: Apache-2.0
package org.example.acme.heap;

import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.MemfdSource;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** How a vendor runs the heap contract against a heap: one test a case. */
class AcmeHeapTest {
    @TestFactory
    Stream<DynamicTest> the_heap_keeps_the_contract() {
        MemfdSource source = MemfdSource.open("acme", Syscalls.linux(), Headroom.machine());
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, "acme");
        return HeapContract.of(source, properties).cases().stream()
                .filter(one -> one.skipReason().isEmpty())
                .map(one -> DynamicTest.dynamicTest(one.name(), one::run));
    }
}
