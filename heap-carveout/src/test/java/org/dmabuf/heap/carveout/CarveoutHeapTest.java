// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.carveout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.Logger;
import org.slf4j.helpers.NOPLogger;

class CarveoutHeapTest {
    private static final String PID = "org.dmabuf.heap.carveout~camera";

    private final ProcessState before = ProcessState.now();
    private final Announced announced = new Announced();
    private final FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
    private final List<CarveoutHeap> heaps = new ArrayList<>();

    @AfterEach
    void nothing_is_left_behind() {
        heaps.forEach(CarveoutHeap::withdraw);
        assertEquals(List.of(), announced.heaps());
        before.assertNothingLeft();
    }

    private Announced.Heap announced(Map<String, ?> set) {
        start(set);
        return announced.heaps().getLast();
    }

    private void start(Map<String, ?> set) {
        heaps.add(new CarveoutHeap(
                announced.context(),
                Announced.config(CarveoutHeap.Config.class, set),
                Map.of("service.pid", PID),
                kernel,
                NOPLogger.NOP_LOGGER));
    }

    @Test
    void a_configuration_with_a_size_is_a_heap_of_its_name_without_an_id() {
        assertEquals(
                PhysicalMemory.with(Map.of(
                        "heap.name",
                        "camera",
                        "heap.type",
                        "carveout",
                        "heap.priority",
                        -50,
                        "heap.backend",
                        "memfd",
                        "heap.dmabuf",
                        false,
                        "heap.contiguous.max",
                        Bytes.PAGE,
                        "heap.alignment",
                        Bytes.PAGE,
                        "heap.size.max",
                        1L << 20,
                        "heap.export.readonly",
                        true)),
                announced(Map.of("size", "1M", "exports", "memfd")).properties());
    }

    @Test
    void the_configured_values_are_announced() {
        Map<String, Object> properties = announced(Map.of(
                        "heap_name",
                        "frames",
                        "heap_id",
                        63,
                        "heap_priority",
                        5,
                        "size",
                        "1M",
                        "exports",
                        "memfd",
                        "emulate_contiguous",
                        true))
                .properties();
        assertEquals(
                List.of(HeapExporter.class.getName(), RegionMap.class.getName()),
                announced.heaps().getLast().types());
        assertEquals("frames", properties.get("heap.name"));
        assertEquals(63, properties.get("heap.id"));
        assertEquals(5, properties.get("heap.priority"));
        assertEquals(List.of("contiguous"), properties.get("heap.emulates"));
    }

    @ParameterizedTest
    @CsvSource({
        "size, none, 'invalid size = none in org.dmabuf.heap.carveout~camera: expected bytes, or a number with K'",
        "size, 0, 'size = 0 in org.dmabuf.heap.carveout~camera: expected a positive multiple of page'",
        "size, 1025K, 'size = 1025K in org.dmabuf.heap.carveout~camera: expected a positive multiple of page'",
        "size, 99999999999999G, invalid size = 99999999999999G in org.dmabuf.heap.carveout~camera",
        "page_size, 5000, 'page.size = 5000 in org.dmabuf.heap.carveout~camera: expected a power of two'",
        "page_size, 512K, 'page.size = 512K in org.dmabuf.heap.carveout~camera: expected PAGE, or'",
        "chunk_size, 5000, 'chunk.size = 5000 in org.dmabuf.heap.carveout~camera: expected a power of two'",
        "granule, 5000, 'granule = 5000 in org.dmabuf.heap.carveout~camera: expected a power of two'",
        "exports, dmabuf, invalid exports = dmabuf in org.dmabuf.heap.carveout~camera: expected auto"
    })
    void an_invalid_configuration_is_refused_with_a_sentence_and_announces_nothing(
            String setting, String value, String sentence) {
        Map<String, Object> wrong = new HashMap<>(Map.of("size", "1M", "exports", "memfd"));
        wrong.put(setting, value);
        start(wrong);
        String expected = sentence.replace("PAGE", Bytes.text(Bytes.PAGE));
        assertTrue(announced.refusal().contains(expected), announced.refusal());
    }

    @ParameterizedTest
    @CsvSource({
        "size, none",
        "size, 0",
        "size, 1025K",
        "page_size, 5000",
        "page_size, 512K",
        "chunk_size, 5000",
        "granule, 2M",
        "quota, -1",
        "exports, dmabuf",
        "emulate_contiguous, yes",
        "heap_id, 64"
    })
    void a_mistake_in_a_changed_configuration_leaves_the_region_and_its_buffers(String setting, String value) {
        HeapExporter exporter =
                announced(Map.of("size", "1M", "exports", "memfd")).exporter();
        HeapBuffer buffer = exporter.allocate(HeapRequest.of(1));
        long regions = kernel.count("memfdCreate");
        CarveoutHeap heap = heaps.getFirst();
        Map<String, Object> wrong = new HashMap<>(Map.of("size", "1M", "exports", "memfd"));
        if (!setting.startsWith("emulate") && !setting.startsWith("heap")) { // read from the properties
            wrong.put(setting, value);
        }
        heap.configure(
                Announced.config(CarveoutHeap.Config.class, wrong),
                Map.of("service.pid", PID, setting.replace('_', '.'), value));
        assertEquals(1, announced.heaps().size());
        assertSame(exporter, announced.heaps().getFirst().exporter());
        assertEquals(regions, kernel.count("memfdCreate"), "no memory was touched");
        buffer.release();
    }

    @Test
    void a_changed_configuration_takes_effect_and_an_equal_one_does_nothing() {
        Map<String, ?> set = Map.of("size", "1M", "exports", "memfd");
        start(set);
        CarveoutHeap heap = heaps.getFirst();
        for (String size : List.of("2M", "2M ", "3M", "3M")) {
            HeapExporter before = announced.heaps().getFirst().exporter();
            heap.configure(
                    Announced.config(CarveoutHeap.Config.class, Map.of("size", size, "exports", "memfd")),
                    Map.of("service.pid", PID, "size", size));
            HeapExporter now = announced.heaps().getFirst().exporter();
            long wanted = (size.charAt(0) - '0') * (1L << 20);
            assertEquals(before.usage().capacity().orElseThrow() == wanted, before == now);
            assertEquals(wanted, now.usage().capacity().orElseThrow());
        }
    }

    @Test
    void a_configuration_without_a_size_is_refused_with_a_remedy() {
        start(Map.of());
        assertEquals(
                "missing size in org.dmabuf.heap.carveout~camera: expected the size of the region, such as 256M",
                announced.refusal());
    }

    @Test
    void a_region_above_the_machines_memory_waits_without_any_system_call() {
        start(Map.of("size", "64T", "granule", "1G"));
        assertEquals(List.of(), announced.heaps());
        assertEquals(0, kernel.count("memfdCreate"));
    }

    @ParameterizedTest
    @CsvSource({"memfdCreate, EMFILE", "fallocate, ENOSPC", "mmap, ENOMEM", "madvise, ENOMEM"})
    void a_region_that_lacks_memory_at_the_start_is_created_when_memory_is_free(String call, Errno errno) {
        kernel.fail(call, errno);
        start(Map.of("size", "1M", "exports", "memfd"));
        assertEquals(List.of(), announced.heaps());
        kernel.heal();
        announced.awaited().exporter().allocate(HeapRequest.of(1)).release();
    }

    @Test
    void a_carveout_whose_name_is_taken_has_no_memory_until_the_name_is_free() {
        Map<String, ?> set = Map.of("size", "1M", "exports", "memfd", "heap_name", "frames");
        HeapExporter first = announced(set).exporter();
        ProcessState before = ProcessState.now();
        long made = kernel.count("memfdCreate");
        start(set);
        assertEquals(
                "its heap.name = frames is taken by the heap of bundle org.example.announced; it allocates no"
                        + " memory before that heap leaves",
                announced.waiting());
        assertEquals(made, kernel.count("memfdCreate"));
        before.assertNothingLeft();
        heaps.removeFirst().withdraw();
        HeapExporter second = announced.awaited().exporter();
        assertNotSame(first, second);
        second.allocate(HeapRequest.of(1 << 20)).release();
    }

    @Test
    void a_carveout_whose_id_is_taken_has_no_memory_either() {
        announced(Map.of("size", "1M", "exports", "memfd", "heap_name", "frames", "heap_id", 7));
        long made = kernel.count("memfdCreate");
        start(Map.of("size", "1M", "exports", "memfd", "heap_name", "others", "heap_id", 7));
        assertEquals(
                "its heap.id = 7 is taken by heap 'frames' of bundle org.example.announced; it allocates no memory"
                        + " before that heap leaves",
                announced.waiting());
        assertEquals(made, kernel.count("memfdCreate"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"two words", "a/b", "..", "adopted"})
    void a_carveout_with_an_invalid_name_is_refused_before_it_allocates_memory(String name) {
        start(Map.of("size", "1M", "exports", "memfd", "heap_name", name));
        assertTrue(
                announced.refusal().startsWith("invalid heap.name = " + name + " in " + PID + ": expected "),
                announced.refusal());
        assertEquals(0, kernel.count("memfdCreate"));
    }

    @Test
    void a_region_that_the_kernel_forbids_is_not_a_shortage() {
        kernel.fail("fcntl", Errno.EPERM);
        start(Map.of("size", "1M", "exports", "memfd"));
        assertTrue(announced.refusal().contains("fcntl(F_ADD_SEALS)"), announced.refusal());
    }

    @Test
    void a_departed_heap_and_its_successor_have_separate_memory() {
        HeapBuffer old = announced(Map.of("size", "1M", "exports", "memfd"))
                .exporter()
                .allocate(HeapRequest.of(1).withExport(ExportMode.NONE));
        heaps.removeFirst().withdraw();
        HeapBuffer fresh = announced(Map.of("size", "2M", "exports", "memfd"))
                .exporter()
                .allocate(HeapRequest.of(1).withExport(ExportMode.NONE));
        old.map(Access.READ_WRITE).fill((byte) 1);
        assertEquals(0, fresh.map(Access.READ).get(ValueLayout.JAVA_BYTE, 0));
        old.release();
        fresh.release();
    }

    @Test
    void memory_that_can_be_swapped_out_is_logged_in_one_line_with_the_remedy() {
        kernel.fail("mlock", Errno.ENOMEM);
        List<String> lines = new ArrayList<>();
        Logger log = (Logger) Proxy.newProxyInstance(
                Logger.class.getClassLoader(), new Class<?>[] {Logger.class}, (proxy, method, arguments) -> {
                    lines.add(arguments[0].toString()
                            + Arrays.toString(Arrays.copyOfRange(arguments, 1, arguments.length)));
                    return null;
                });
        heaps.add(new CarveoutHeap(
                announced.context(),
                Announced.config(CarveoutHeap.Config.class, Map.of("size", "1M", "exports", "memfd")),
                Map.of("service.pid", PID),
                kernel,
                log));
        assertEquals(
                List.of("heap '{}' has memory that can be swapped out, since {}[camera, mlock of 1 MiB failed: "
                        + Errno.ENOMEM.meaning() + "; raise the process's limit of locked memory by that size"
                        + " (LimitMEMLOCK= in a unit, ulimit -l), or grant CAP_IPC_LOCK]"),
                lines.stream().filter(line -> line.contains("swapped")).toList());
    }

    @Test
    void a_quota_is_announced_and_an_invalid_one_is_refused() {
        Map<String, ?> set = Map.of("size", "1M", "exports", "memfd", "quota", "512K");
        assertEquals(512L << 10, announced(set).properties().get("heap.quota"));
        heaps.removeFirst().withdraw();
        start(Map.of("size", "1M", "quota", "half"));
        assertEquals(
                "invalid quota = half in org.dmabuf.heap.carveout~camera: expected bytes, or a number with K, M, G or"
                        + " T: 256M",
                announced.refusal());
    }
}
