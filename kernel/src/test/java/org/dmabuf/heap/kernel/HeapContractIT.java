// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.secret.SecretSource;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.tck.ContractCase;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Runs of the heap contract on the sources of memory of this kernel. The embedded run uses memfds and runs on any
 * machine.
 */
class HeapContractIT {
    private static final String HEAP = "system";

    private static MemorySource memfd;
    private static MemorySource dmaHeap;
    private static MemorySource udmabuf;
    private static MemorySource pooled;
    private static MemorySource emulation;
    private static MemorySource secret;

    @BeforeAll
    static void open() {
        memfd = MemfdSource.open(HEAP, Syscalls.linux(), Headroom.machine());
        // Debian's kernels for arm64 have none. In the other guest, Devices fails without it.
        if (Files.exists(Devices.SYSTEM_HEAP)) {
            dmaHeap = DmaHeapSource.open(HEAP, "system", Syscalls.linux(), Headroom.machine());
        }
        udmabuf = UdmabufSource.open(HEAP, Syscalls.linux(), Headroom.machine());
        pooled = PooledSource.over(
                UdmabufSource.open(HEAP, Syscalls.linux(), Headroom.machine()),
                HEAP,
                Syscalls.linux(),
                Headroom.machine(),
                PoolBudget.none()
                        .withPrewarmed(64 << 10, 8)
                        .withPrewarmed(1 << 20, 4)
                        .withRecycled(8 << 20));
        // More than the cases use at once, because the alignment of contiguous memory leaves gaps.
        RegionLayout layout = RegionLayout.of(40L << 20, "its size")
                .withAlignmentCap(1L << 20)
                .withExports(RegionLayout.Exports.UDMABUF);
        emulation = EmulatedCmaSource.open(HEAP, layout, Syscalls.linux(), Headroom.machine());
        secret = SecretSource.open(HEAP, Syscalls.linux(), Headroom.machine(), true);
    }

    @AfterAll
    static void close() {
        Stream.of(memfd, dmaHeap, udmabuf, pooled, emulation, secret)
                .filter(Objects::nonNull)
                .forEach(MemorySource::close);
    }

    private static MemorySource systemHeap() {
        Assumptions.assumeTrue(dmaHeap != null, "this kernel has no DMA-BUF heaps");
        return dmaHeap;
    }

    @TestFactory
    Stream<DynamicTest> memfds_keep_the_contract() {
        return tests(contract(memfd));
    }

    @TestFactory
    Stream<DynamicTest> the_system_heap_of_the_kernel_keeps_the_contract() throws IOException {
        return tests(contract(systemHeap()).skipping(skips("dma-heap")));
    }

    @TestFactory
    Stream<DynamicTest> udmabuf_keeps_the_contract() throws IOException {
        return tests(contract(udmabuf).skipping(skips("udmabuf")));
    }

    @TestFactory
    Stream<DynamicTest> udmabuf_behind_pools_keeps_the_contract() throws IOException {
        return tests(contract(pooled).skipping(skips("udmabuf")));
    }

    @TestFactory
    Stream<DynamicTest> secret_memory_keeps_the_contract() throws IOException {
        return tests(contract(secret).skipping(skips("secret")));
    }

    @TestFactory
    Stream<DynamicTest> the_region_that_emulates_contiguous_memory_keeps_the_contract() throws IOException {
        return tests(contract(emulation).skipping(skips("udmabuf")));
    }

    @Test
    void the_run_on_the_system_heap_is_the_embedded_run_less_the_listed_skips() throws IOException {
        assertRunsLess(skips("dma-heap"), systemHeap());
    }

    @Test
    void the_run_on_udmabuf_is_the_embedded_run_less_the_listed_skips() throws IOException {
        assertRunsLess(skips("udmabuf"), udmabuf);
    }

    @Test
    void the_run_on_udmabuf_behind_pools_equals_that_on_udmabuf() throws IOException {
        assertRunsLess(skips("udmabuf"), pooled);
    }

    @Test
    void the_run_on_secret_memory_is_the_embedded_run_less_the_listed_skips() throws IOException {
        assertRunsLess(skips("secret"), secret);
    }

    @Test
    void the_run_on_the_region_that_emulates_contiguous_memory_equals_that_on_udmabuf() throws IOException {
        assertRunsLess(skips("udmabuf"), emulation);
    }

    /** Cases that the announced properties rule out must also be in the list, so that each skip is documented. */
    private static void assertRunsLess(Map<String, String> skips, MemorySource device) {
        assertEquals(names(contract(memfd)), names(contract(device)));
        Set<String> missing = run(contract(memfd));
        missing.removeAll(run(contract(device).skipping(skips)));
        assertEquals(new TreeSet<>(skips.keySet()), missing);
    }

    private static Set<String> names(HeapContract contract) {
        return contract.cases().stream().map(ContractCase::name).collect(Collectors.toCollection(TreeSet::new));
    }

    private static Set<String> run(HeapContract contract) {
        return contract.cases().stream()
                .filter(c -> c.skipReason().isEmpty())
                .map(ContractCase::name)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static HeapContract contract(MemorySource source) {
        Map<String, Object> announced = new HashMap<>(source.properties());
        announced.put(HeapProperties.NAME, HEAP);
        return HeapContract.of(source, announced);
    }

    /** {@return the reasons by the name of the case, from the resource of this name} */
    private static Map<String, String> skips(String list) throws IOException {
        Properties read = new Properties();
        try (Reader text = new InputStreamReader(
                HeapContractIT.class.getResourceAsStream("/" + list + ".properties"), StandardCharsets.UTF_8)) {
            read.load(text);
        }
        Map<String, String> reasons = new TreeMap<>();
        read.stringPropertyNames().forEach(name -> reasons.put(name, read.getProperty(name)));
        return reasons;
    }

    private static Stream<DynamicTest> tests(HeapContract contract) {
        return contract.cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(
                            c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }));
    }
}
