// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Run of the contract on the service and with the properties that a broker gets. Cases that the announcement rules out
 * are skipped: for an unmapped heap those that read buffers, and for both heaps those of read-only exports.
 */
class SecureHeapContractTest {
    @TestFactory
    Stream<DynamicTest> the_heap_that_is_not_mapped_in_the_gateway_keeps_the_contract() throws IOException {
        return contract(Map.of());
    }

    @TestFactory
    Stream<DynamicTest> the_heap_that_is_mapped_in_the_gateway_keeps_the_contract() throws IOException {
        return contract(Map.of("heap_mappable", true));
    }

    private static Stream<DynamicTest> contract(Map<String, ?> set) throws IOException {
        Announced.Heap heap = SecretMemory.heap(set);
        return HeapContract.of(heap.exporter(), heap.properties()).skipping(skips()).cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(
                            c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }));
    }

    private static Map<String, String> skips() throws IOException {
        Properties skips = new Properties();
        try (InputStream in = SecureHeapContractTest.class.getResourceAsStream("/contract-skips.properties")) {
            skips.load(in);
        }
        return skips.stringPropertyNames().stream().collect(Collectors.toMap(name -> name, skips::getProperty));
    }
}
