// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.cma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.framework.Constants;
import org.slf4j.helpers.NOPLogger;

/** Tests of the announced properties, for the kernel's nodes and for configurations. */
class CmaHeapTest {
    private static final String FOLDER = "/dev/dma_heap/";

    private final Announced announced = new Announced();

    private CmaHeap start(Syscalls syscalls, Map<String, ?> set, String pid) {
        return new CmaHeap(
                announced.context(),
                Announced.config(CmaHeap.Config.class, set),
                Map.of(Constants.SERVICE_PID, pid),
                syscalls,
                NOPLogger.NOP_LOGGER);
    }

    private CmaHeap start(Syscalls syscalls, Map<String, ?> set) {
        return start(syscalls, set, CmaHeap.PID);
    }

    @ParameterizedTest
    @ValueSource(strings = {"default_cma_region", "linux,cma", "reserved", "default-pool"})
    void each_kernel_name_of_the_heap_is_found(String node) {
        CmaHeap heap = start(kernel(Errno.ENOENT, node), Map.of());
        Map<String, Object> properties = announced.heaps().getFirst().properties();
        assertEquals("cma", properties.get("heap.name"));
        assertEquals("cma", properties.get("heap.type"));
        assertEquals("dma-heap", properties.get("heap.backend"));
        assertEquals(true, properties.get("heap.contiguous"));
        assertEquals(true, properties.get("heap.dmabuf"));
        assertEquals(null, properties.get("heap.emulates"));
        assertEquals(PhysicalMemory.facts().get("heap.address.max"), properties.get("heap.address.max"));
        assertEquals(
                List.of(HeapExporter.class.getName()),
                announced.heaps().getFirst().types());
        heap.withdraw();
        assertEquals(List.of(), announced.heaps());
    }

    @Test
    void the_configured_addresses_of_the_memory_are_announced() {
        CmaHeap heap = new CmaHeap(
                announced.context(),
                Announced.config(CmaHeap.Config.class, Map.of()),
                Map.of("heap.address.min", "0x30000000", "heap.address.max", "0x3fffffff", "heap.dma.bits", "30"),
                kernel(Errno.ENOENT, "reserved"),
                NOPLogger.NOP_LOGGER);
        Map<String, Object> properties = announced.heaps().getFirst().properties();
        assertEquals(0x3000_0000L, properties.get("heap.address.min"));
        assertEquals(0x3FFF_FFFFL, properties.get("heap.address.max"));
        assertEquals(30, properties.get("heap.dma.bits"));
        heap.withdraw();
    }

    @Test
    void only_the_configured_node_is_used() {
        Map<String, ?> set = Map.of("nodes", new String[] {"memory@42000000-contiguous"});
        start(kernel(Errno.ENOENT, "memory@42000000-contiguous"), set).withdraw();

        CmaHeap other = start(kernel(Errno.ENOENT, "reserved"), set);
        assertEquals(
                List.of("contiguous"), announced.heaps().getFirst().properties().get("heap.emulates"));
        other.withdraw();
    }

    @Test
    void without_a_node_the_region_announces_that_it_emulates() {
        CmaHeap heap = start(kernel(Errno.ENOENT), Map.of("exports", "memfd"));
        Map<String, Object> properties = announced.heaps().getFirst().properties();
        assertEquals(List.of("contiguous"), properties.get("heap.emulates"));
        assertEquals(false, properties.get("heap.contiguous"));
        assertEquals(Bytes.PAGE, properties.get("heap.contiguous.max"));
        assertEquals(64L << 20, properties.get("heap.size.max"));
        assertEquals(false, properties.get("heap.dmabuf"));
        assertEquals(
                List.of(HeapExporter.class.getName(), RegionMap.class.getName()),
                announced.heaps().getFirst().types());
        HeapExporter exporter = announced.heaps().getFirst().exporter();
        assertEquals(64L << 20, exporter.usage().capacity().orElseThrow());
        assertEquals(64L << 20, assertInstanceOf(RegionMap.class, exporter).size());
        heap.withdraw();
        assertEquals(List.of(), announced.heaps());
    }

    @Test
    void a_region_whose_name_is_taken_is_not_created_before_the_name_is_free() {
        FaultySyscalls counted = new FaultySyscalls(kernel(Errno.ENOENT));
        Map<String, ?> set = Map.of("exports", "memfd", "size", "1M");
        CmaHeap first = start(counted, set);
        long made = counted.count("memfdCreate");
        CmaHeap second = start(counted, set);
        assertEquals(
                "its heap.name = cma is taken by the heap of bundle org.example.announced; it allocates no memory"
                        + " before that heap leaves",
                announced.waiting());
        assertEquals(made, counted.count("memfdCreate"));
        first.withdraw();
        assertEquals("cma", announced.awaited().properties().get("heap.name"));
        second.withdraw();
    }

    @Test
    void each_configuration_with_a_name_is_a_separate_region() {
        CmaHeap camera = start(kernel(Errno.ENOENT), Map.of("size", "1M"), "org.dmabuf.heap.cma~camera");
        CmaHeap video = start(kernel(Errno.ENOENT), Map.of("size", "2M"), "org.dmabuf.heap.cma~video");
        assertEquals(
                List.of("camera", "video"),
                announced.heaps().stream()
                        .map(h -> h.properties().get("heap.name"))
                        .toList());
        assertEquals(
                List.of(1L << 20, 2L << 20),
                announced.heaps().stream()
                        .map(h -> h.exporter().usage().capacity().orElseThrow())
                        .toList());
        camera.withdraw();
        video.withdraw();
    }

    @Test
    void a_node_that_is_required_and_missing_is_named() {
        CmaHeap heap = start(kernel(Errno.ENOENT), Map.of("backend", "dma-heap"));
        assertEquals(
                "/dev/dma_heap/ has no contiguous heap (default_cma_region linux,cma reserved default-pool); load"
                        + " its module, use a kernel with CONFIG_DMABUF_HEAPS_CMA and reserved memory (cma= at boot),"
                        + " or name its node by nodes in org.dmabuf.heap.cma, and give a container its node"
                        + " (--device=/dev/dma_heap/NAME)",
                announced.waiting());
        heap.withdraw();
    }

    @Test
    void a_node_without_permission_is_reported() {
        CmaHeap heap = start(kernel(Errno.EACCES), Map.of("backend", "dma-heap"));
        assertTrue(announced.waiting().contains("open(/dev/dma_heap/reserved) failed"), announced.waiting());
        assertTrue(announced.waiting().contains("60-dmaheap.rules"), announced.waiting());
        heap.withdraw();
    }

    /** The memory may be held by peers of an earlier gateway, and returns when they end. */
    @Test
    void a_node_whose_memory_is_all_allocated_is_announced_as_a_full_heap() {
        FaultySyscalls kernel = new FaultySyscalls(kernel(Errno.ENOENT, "reserved"));
        kernel.fail("dmaHeapAllocate", Errno.ENOMEM);
        CmaHeap heap = start(kernel, Map.of());
        HeapExporter exporter = announced.heaps().getFirst().exporter();
        assertEquals("dma-heap", announced.heaps().getFirst().properties().get("heap.backend"));
        HeapException refusal = assertThrows(HeapException.class, () -> exporter.allocate(HeapRequest.of(4096)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        kernel.heal();
        exporter.allocate(HeapRequest.of(4096)).release();
        heap.withdraw();
    }

    @Test
    void a_temporary_shortage_does_not_choose_the_back_end() {
        FaultySyscalls kernel = new FaultySyscalls(kernel(Errno.ENOENT, "reserved"));
        kernel.fail("open", Errno.EMFILE);
        CmaHeap heap = start(kernel, Map.of());
        assertEquals(List.of(), announced.heaps());
        kernel.heal();
        assertEquals("dma-heap", announced.awaited().properties().get("heap.backend"));
        heap.withdraw();
        assertEquals(List.of(), announced.heaps());
    }

    @ParameterizedTest
    @CsvSource({
        "backend, best",
        "exports, everything",
        "size, much",
        "size, 5000",
        "size, 0",
        "alignment_cap, 3M",
        "alignment_cap, 1K"
    })
    void an_invalid_configuration_is_refused_and_nothing_is_announced(String setting, String value) {
        start(kernel(Errno.ENOENT), Map.of(setting, value));
        String expected =
                "invalid " + setting.replace('_', '.') + " = " + value + " in org\\.dmabuf\\.heap\\.cma: expected .*";
        assertTrue(announced.refusal().matches(expected), announced::refusal);
    }

    @ParameterizedTest
    @CsvSource({
        "backend, best",
        "exports, everything",
        "size, much",
        "size, 5000",
        "alignment_cap, 3M",
        "nodes, ../null",
        "heap_name, .."
    })
    void a_mistake_in_a_changed_configuration_leaves_the_heap_as_it_is(String setting, String value) {
        CmaHeap heap = start(kernel(Errno.ENOENT), Map.of("exports", "memfd"));
        HeapExporter exporter = announced.heaps().getFirst().exporter();
        Object typed = setting.equals("nodes") ? new String[] {value} : value;
        heap.configure(
                Announced.config(CmaHeap.Config.class, Map.of(setting, typed)),
                Map.of(Constants.SERVICE_PID, CmaHeap.PID, setting.replace('_', '.'), value));
        assertEquals(1, announced.heaps().size());
        assertSame(exporter, announced.heaps().getFirst().exporter());

        heap.configure(
                Announced.config(CmaHeap.Config.class, Map.of("size", "2M", "exports", "memfd")),
                Map.of(Constants.SERVICE_PID, CmaHeap.PID, "size", "2M"));
        assertEquals(
                2L << 20,
                announced.heaps().getFirst().exporter().usage().capacity().orElseThrow());
        heap.withdraw();
    }

    /**
     * Returns a fake kernel with heaps, whose dma-bufs are memfds of the running kernel.
     *
     * @param otherwise the error of an open of any other node
     * @param nodes the nodes in the folder
     */
    private static Syscalls kernel(Errno otherwise, String... nodes) {
        Syscalls linux = Syscalls.linux();
        List<String> there = new ArrayList<>(List.of(nodes));
        return (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, a) -> {
                    switch (method.getName()) {
                        case "open" -> {
                            String path = a[0].toString();
                            if (path.startsWith(FOLDER)) {
                                return there.contains(path.substring(FOLDER.length()))
                                        ? linux.open("/dev/null", (int) a[1])
                                        : -otherwise.number();
                            }
                        }
                        case "dmaHeapAllocate" -> {
                            int fd = linux.memfdCreate("dma-buf", 0x3); // MFD_CLOEXEC | MFD_ALLOW_SEALING
                            linux.fallocate(fd, 0, 0, Bytes.wholePages((long) a[1]));
                            return fd;
                        }
                        case "dmaBufSync", "dmaBufSetName" -> {
                            return 0;
                        }
                        default -> {}
                    }
                    try {
                        return method.invoke(linux, a);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
