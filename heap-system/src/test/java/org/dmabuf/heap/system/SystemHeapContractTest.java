// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.util.stream.Stream;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** On the service and with the properties that a broker gets. */
class SystemHeapContractTest {
    @TestFactory
    Stream<DynamicTest> the_system_heap_keeps_the_contract() {
        Announced announced = new Announced();
        new SystemHeap(announced.context(), Announced.config("system", 0, 0));
        Announced.Heap heap = announced.heaps.getFirst();
        return HeapContract.of(heap.exporter(), heap.properties()).cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }));
    }
}
