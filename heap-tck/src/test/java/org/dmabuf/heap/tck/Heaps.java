// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.HeapUnderTest.Company;

/** Heaps against which the tests of this kit run. */
final class Heaps {
    private static final List<String> SLOW = List.of("1024_", "100_", "what_32_buffers_of_1048576_");

    /** Longest time of a case, on a busy machine. */
    static final Duration LIMIT = Duration.ofMinutes(2);

    private Heaps() {}

    /** A heap that keeps the contract. */
    static MemfdSource good() {
        return MemfdSource.open("camera", Syscalls.linux(), Headroom.machine());
    }

    static Map<String, Object> announced(MemfdSource source) {
        return announced(source, Map.of());
    }

    static Map<String, Object> announced(MemfdSource source, Map<String, ?> others) {
        Map<String, Object> all = new HashMap<>(source.properties());
        all.put(HeapProperties.NAME, "camera");
        all.putAll(others);
        return all;
    }

    static HeapContract contract(HeapExporter heap, Map<String, ?> properties) {
        return HeapContract.of(new HeapUnderTest(heap, properties, Duration.ofMillis(10), LIMIT, Company.ALONE));
    }

    /** {@return the reasons of the skipped cases, by name} */
    static Map<String, String> skipped(HeapContract contract) {
        return contract.cases().stream()
                .filter(c -> c.skipReason().isPresent())
                .collect(
                        Collectors.toMap(ContractCase::name, c -> c.skipReason().get()));
    }

    /**
     * Runs every case that applies. Slow cases run only if they are expected to fail.
     *
     * @param expected names of the cases that should fail
     * @return the failures by the names of their cases
     */
    static Map<String, String> failures(HeapContract contract, Set<String> expected) {
        Map<String, String> failures = new TreeMap<>();
        for (ContractCase c : contract.cases()) {
            boolean slow = SLOW.stream().anyMatch(c.name()::startsWith);
            if (c.skipReason().isEmpty() && (!slow || expected.contains(c.name()))) {
                c.failure().ifPresent(how -> failures.put(c.name(), how));
            }
        }
        return failures;
    }
}
