// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Run of the contract on the service and with the properties that a broker gets. */
class SystemHeapContractTest {
    private SystemHeap heap;

    @AfterEach
    void the_heap_leaves() {
        heap.withdraw();
    }

    @TestFactory
    Stream<DynamicTest> the_system_heap_keeps_the_contract() {
        Announced announced = new Announced();
        heap = new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of());
        return contract(announced.heaps().getFirst());
    }

    /** With pools of the sizes in the cases, so that the cases get prewarmed and recycled memory. */
    @TestFactory
    Stream<DynamicTest> the_system_heap_keeps_the_contract_with_pools() {
        Announced announced = new Announced();
        heap = new SystemHeap(
                announced.context(), Configs.config("system", 0, 0, "memfd", "4K=8 16K=8 64K=8 1M=4", "16M"), Map.of());
        return contract(announced.heaps().getFirst());
    }

    private static Stream<DynamicTest> contract(Announced.Heap heap) {
        return HeapContract.of(heap.exporter(), heap.properties()).cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(
                            c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }));
    }
}
