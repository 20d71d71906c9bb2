// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.cma;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.slf4j.helpers.NOPLogger;

/** Run of the contract on the service and with the properties that a broker gets: ranges, and memfds for exports. */
class CmaContractTest {
    private final List<CmaHeap> open = new ArrayList<>();

    @AfterEach
    void withdraw() {
        open.forEach(CmaHeap::withdraw);
    }

    @TestFactory
    Stream<DynamicTest> the_default_keeps_the_contract() {
        return contract(Map.of());
    }

    @TestFactory
    Stream<DynamicTest> a_region_that_exports_memfds_keeps_the_contract() {
        return contract(Map.of("backend", "region", "exports", "memfd", "alignment_cap", "64K"));
    }

    private Stream<DynamicTest> contract(Map<String, ?> set) {
        Announced announced = new Announced();
        open.add(new CmaHeap(
                announced.context(),
                Announced.config(CmaHeap.Config.class, set),
                Map.of(),
                Syscalls.linux(),
                NOPLogger.NOP_LOGGER));
        Announced.Heap heap = announced.heaps().getFirst();
        return HeapContract.of(heap.exporter(), heap.properties()).cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(
                            c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }));
    }
}
