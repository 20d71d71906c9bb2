// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.helpers.NOPLogger;

class SystemHeapTest {
    private final Announced announced = new Announced();

    @Test
    void the_heap_announces_all_properties_of_its_memory() {
        new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of());
        assertEquals(
                PhysicalMemory.with(Map.ofEntries(
                        Map.entry("heap.name", "system"),
                        Map.entry("heap.id", 0),
                        Map.entry("heap.type", "system"),
                        Map.entry("heap.priority", 0),
                        Map.entry("heap.backend", "memfd"),
                        Map.entry("heap.dmabuf", false),
                        Map.entry("heap.contiguous.max", Bytes.PAGE),
                        Map.entry("heap.alignment", Bytes.PAGE),
                        Map.entry("heap.export.readonly", true))),
                announced.heaps().getFirst().properties());
    }

    @Test
    void name_id_and_priority_are_the_configured_ones() {
        new SystemHeap(announced.context(), Configs.config("spare", 63, -5), Map.of());
        assertEquals(
                List.of(HeapExporter.class.getName()),
                announced.heaps().getFirst().types());
        Map<String, Object> properties = announced.heaps().getFirst().properties();
        assertEquals("spare", properties.get("heap.name"));
        assertEquals(63, properties.get("heap.id"));
        assertEquals(-5, properties.get("heap.priority"));
        HeapException refusal = assertThrows(
                HeapException.class,
                () -> announced.heaps().getFirst().exporter().allocate(HeapRequest.of(1L << 46)));
        assertEquals(Optional.of("spare"), refusal.heap());
    }

    @Test
    void the_defaults_are_a_heap_named_system_with_id_0_on_what_the_machine_permits() throws NoSuchMethodException {
        assertEquals("system", SystemHeap.Config.class.getMethod("heap_name").getDefaultValue());
        assertEquals(0, SystemHeap.Config.class.getMethod("heap_id").getDefaultValue());
        assertEquals(0, SystemHeap.Config.class.getMethod("heap_priority").getDefaultValue());
        assertEquals("auto", SystemHeap.Config.class.getMethod("backend").getDefaultValue());
    }

    @Test
    void without_memory_there_is_no_service() {
        ProcessState before = ProcessState.now();
        FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
        kernel.fail("memfdCreate", Errno.ENOSYS);
        new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of(), kernel, NOPLogger.NOP_LOGGER);
        assertTrue(announced.refusal().contains("permit memfd_create in SystemCallFilter="), announced.refusal());
        before.assertNothingLeft();
    }

    @Test
    void a_kernel_without_the_seal_against_writers_announces_no_read_only_export() {
        FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
        // The first two seals fix the size; the third is F_SEAL_FUTURE_WRITE.
        kernel.failOn("fcntl", 3, Errno.EINVAL);
        ProcessState before = ProcessState.now();
        new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of(), kernel, NOPLogger.NOP_LOGGER);
        before.assertNothingLeft();
        assertEquals(false, announced.heaps().getFirst().properties().get("heap.export.readonly"));
        announced.heaps().getFirst().exporter().allocate(HeapRequest.of(1)).release();
    }

    @Test
    void trying_the_kernel_leaves_nothing_behind() {
        ProcessState before = ProcessState.now();
        new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of());
        before.assertNothingLeft();
    }

    @Test
    void buffers_of_a_withdrawn_heap_still_work() {
        SystemHeap heap = new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of());
        HeapBuffer buffer = announced.heaps().getFirst().exporter().allocate(HeapRequest.of(1));
        heap.withdraw();
        assertEquals(List.of(), announced.heaps());

        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        mapping.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        buffer.unmap(mapping);
        buffer.release();
    }

    @ParameterizedTest
    @CsvSource({
        "backend, memfdd",
        "pool.prewarm, 1M=many",
        "pool.recycle, -1",
        "pool.idle.s, 0",
        "pool.idle.s, 60s",
        "heap.id, abc",
        "heap.name, a/b"
    })
    void a_mistake_in_a_changed_configuration_leaves_the_heap_as_it_is(String setting, String value) {
        SystemHeap heap = new SystemHeap(announced.context(), set("heap.priority", "3"), Map.of());
        HeapExporter exporter = announced.heaps().getFirst().exporter();
        heap.configure(set(setting, value), Map.of(setting, value));
        assertEquals(1, announced.heaps().size());
        assertSame(exporter, announced.heaps().getFirst().exporter());

        heap.configure(set("pool.recycle", "1M"), Map.of("pool.recycle", "1M"));
        assertEquals(1, announced.heaps().size());
        assertNotSame(exporter, announced.heaps().getFirst().exporter());
        heap.withdraw();
        assertEquals(List.of(), announced.heaps());
    }

    /** A setting of another type than String is read from the properties. */
    private static SystemHeap.Config set(String setting, String value) {
        Map<String, Object> values = new HashMap<>(Map.of("backend", "memfd"));
        switch (setting) {
            case "pool.prewarm" -> values.put("pool_prewarm", new String[] {value});
            case "backend", "pool.recycle", "heap.name" -> values.put(setting.replace('.', '_'), value);
            default -> {}
        }
        return Announced.config(SystemHeap.Config.class, values);
    }

    @Test
    void the_usage_reports_the_free_memory_of_the_machine() {
        new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of());
        assertTrue(announced.heaps().getFirst().exporter().usage().free().orElseThrow() > 0);
    }
}
