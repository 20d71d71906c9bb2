// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.HeapUnderTest.Company;

/** Heaps against which the tests of this kit run. */
final class Heaps {
    private static final List<String> SLOW = List.of("1024_", "100_", "what_32_buffers_of_1048576_");

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

    /**
     * Runs every case that applies. Slow cases run only if they are expected to fail.
     *
     * @param expected names of the cases that should fail
     * @return names of those that did
     */
    static Set<String> failing(HeapExporter heap, Map<String, ?> properties, Set<String> expected) {
        Set<String> failing = new TreeSet<>();
        HeapUnderTest underTest = new HeapUnderTest(heap, properties, Duration.ofMillis(10), Company.ALONE);
        for (ContractCase c : HeapContract.of(underTest).cases()) {
            boolean slow = SLOW.stream().anyMatch(c.name()::startsWith);
            try {
                if (c.skipReason().isEmpty() && (!slow || expected.contains(c.name()))) {
                    c.run();
                }
            } catch (AssertionError e) {
                failing.add(c.name());
            }
        }
        return failing;
    }
}
