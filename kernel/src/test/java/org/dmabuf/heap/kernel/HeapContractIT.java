// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.MemfdSource;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The heap contract on every source of memory that this kernel has. */
class HeapContractIT {
    private static final String HEAP = "system";

    @TestFactory
    Stream<DynamicTest> a_memfd_keeps_the_contract() {
        return tests(memfd());
    }

    private static HeapContract memfd() {
        MemfdSource source = MemfdSource.open(HEAP, Syscalls.linux(), Headroom.machine());
        return contract(source, source.properties());
    }

    private static HeapContract contract(HeapExporter source, Map<String, Object> properties) {
        Map<String, Object> announced = new HashMap<>(properties);
        announced.put(HeapProperties.NAME, HEAP);
        return HeapContract.of(source, announced);
    }

    private static Stream<DynamicTest> tests(HeapContract contract) {
        return contract.cases().stream().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            Assumptions.assumeTrue(c.skipReason().isEmpty(), () -> c.skipReason().get());
            c.run();
        }));
    }
}
