// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.carveout;

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

/** Run of the contract on the service and with the properties that a broker gets: slices, and memfds for exports. */
class CarveoutContractTest {
    private final List<CarveoutHeap> open = new ArrayList<>();

    @AfterEach
    void withdraw() {
        open.forEach(CarveoutHeap::withdraw);
    }

    @TestFactory
    Stream<DynamicTest> a_carveout_keeps_the_contract() {
        return contract(Map.of("size", "32M", "exports", "memfd")); // the largest case needs this much
    }

    @TestFactory
    Stream<DynamicTest> a_carveout_in_chunks_keeps_the_contract() {
        return contract(Map.of("size", "32M", "exports", "memfd", "chunk_size", "64K"));
    }

    @TestFactory
    Stream<DynamicTest> a_carveout_in_few_chunks_keeps_the_applicable_part_of_the_contract() {
        return contract(Map.of("size", "64M", "exports", "memfd", "chunk_size", "1M"));
    }

    private Stream<DynamicTest> contract(Map<String, ?> set) {
        Announced announced = new Announced();
        open.add(new CarveoutHeap(
                announced.context(),
                Announced.config(CarveoutHeap.Config.class, set),
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
