// SPDX-License-Identifier: Apache-2.0
package org.example.acme.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Example of a vendor's test that runs the heap contract against the registered service. Each case is one test, and a
 * case that does not apply is reported as skipped with its reason.
 */
class AcmeHeapTest {
    private final Announced announced = new Announced();
    private final AcmeHeap heap =
            new AcmeHeap(announced.context(), Announced.config(AcmeHeap.Config.class, Map.of()), Map.of());

    @AfterEach
    void stop() {
        heap.stop();
    }

    @TestFactory
    Stream<DynamicTest> the_heap_keeps_the_contract() {
        Announced.Heap service = announced.awaited();
        return HeapContract.of(service.exporter(), service.properties()).cases().stream()
                .map(one -> DynamicTest.dynamicTest(one.name(), () -> {
                    Assumptions.assumeTrue(
                            one.skipReason().isEmpty(), () -> one.skipReason().get());
                    one.run();
                }));
    }

    @Test
    void a_mistake_in_a_changed_configuration_leaves_the_heap_as_it_is() {
        HeapExporter exporter = announced.awaited().exporter();
        heap.configure(Announced.config(AcmeHeap.Config.class, Map.of()), Map.of("heap.id", "forty"));
        assertSame(exporter, announced.heaps().getFirst().exporter());

        heap.configure(Announced.config(AcmeHeap.Config.class, Map.of()), Map.of("heap.id", "41"));
        assertEquals(41, announced.heaps().getFirst().properties().get("heap.id"));
    }
}
