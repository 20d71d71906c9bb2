// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.Logger;
import org.slf4j.helpers.NOPLogger;

class SecureHeapTest {
    private static final Logger LOG = NOPLogger.NOP_LOGGER;

    private final Announced announced = new Announced();

    @BeforeEach
    void require_secret_memory() {
        SecretMemory.assumeThatTheKernelHasIt();
    }

    private SecureHeap start(Map<String, ?> set, Syscalls syscalls) {
        return new SecureHeap(
                announced.context(), Announced.config(SecureHeap.Config.class, set), Map.of(), syscalls, LOG);
    }

    private Announced.Heap announced(Map<String, ?> set) {
        start(set, Syscalls.linux());
        return announced.heaps().getLast();
    }

    @Test
    void by_default_the_heap_is_restricted_not_mappable_and_has_no_peers() {
        assertEquals(
                Map.ofEntries(
                        Map.entry("heap.name", "secure"),
                        Map.entry("heap.id", 3),
                        Map.entry("heap.type", "secure"),
                        Map.entry("heap.priority", -100),
                        Map.entry("heap.backend", "memfd_secret"),
                        Map.entry("heap.dmabuf", false),
                        Map.entry("heap.protected", false),
                        Map.entry("heap.emulates", List.of("protected")),
                        Map.entry("heap.mappable", false),
                        Map.entry("heap.export.readonly", false),
                        Map.entry("heap.contiguous.max", Bytes.PAGE),
                        Map.entry("heap.alignment", Bytes.PAGE),
                        Map.entry("heap.restricted", true),
                        Map.entry("heap.peers", List.of())),
                announced(Map.of()).properties());
    }

    @Test
    void the_configured_values_are_announced() {
        Map<String, Object> properties = announced(Map.of(
                        "heap_name",
                        "keys",
                        "heap_id",
                        63,
                        "heap_priority",
                        5,
                        "heap_mappable",
                        true,
                        "heap_peers",
                        new String[] {"root, 1000"},
                        "backend",
                        "memfd_secret"))
                .properties();
        assertEquals("keys", properties.get("heap.name"));
        assertEquals(63, properties.get("heap.id"));
        assertEquals(5, properties.get("heap.priority"));
        assertEquals(true, properties.get("heap.mappable"));
        assertEquals(List.of(0, 1000), properties.get("heap.peers"));
    }

    @Test
    void an_invalid_configuration_is_refused_and_announces_nothing() {
        for (Map<String, ?> wrong :
                List.of(Map.of("backend", "memfd"), Map.of("heap_peers", new String[] {"no-such-user"}))) {
            SecureHeap heap = start(wrong, Syscalls.linux());
            String setting = wrong.keySet().iterator().next().replace('_', '.');
            assertTrue(announced.refusal().startsWith("invalid " + setting + " = "), announced.refusal());
            assertTrue(announced.refusal().contains(" in org.dmabuf.heap.secure: expected "), announced.refusal());
            heap.withdraw();
        }
    }

    @ParameterizedTest
    @CsvSource({"mmap, EAGAIN", "open, EMFILE"})
    void without_memory_the_heap_is_not_announced_until_memory_is_free(String call, Errno errno) {
        ProcessState before = ProcessState.now();
        FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
        kernel.fail(call, errno);
        SecureHeap heap = start(Map.of("backend", "memfd_secret"), kernel);
        assertEquals(List.of(), announced.heaps());
        before.assertNothingLeft();
        kernel.heal();
        announced.awaited().exporter().allocate(HeapRequest.of(1)).release();
        heap.withdraw();
        assertEquals(List.of(), announced.heaps());
        before.assertNothingLeft();
    }

    @ParameterizedTest
    @CsvSource({"mmap, EAGAIN", "mmap, ENOMEM", "open, EMFILE", "close, EINTR"})
    void a_failed_allocation_loses_nothing_and_the_heap_serves_again(String call, Errno errno) {
        FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
        start(Map.of("backend", "memfd_secret"), kernel);
        HeapExporter heap = announced.heaps().getFirst().exporter();
        ProcessState before = ProcessState.now();
        kernel.failNext(call, 1, errno);
        if (call.equals("close")) { // close releases the descriptor whatever it returns
            heap.allocate(HeapRequest.of(1)).release();
        } else {
            assertThrows(HeapException.class, () -> heap.allocate(HeapRequest.of(1)));
        }
        before.assertNothingLeft();
        heap.allocate(HeapRequest.of(1)).release();
        before.assertNothingLeft();
    }

    @Test
    void buffers_of_a_withdrawn_heap_still_work() {
        SecureHeap heap = start(Map.of("heap_mappable", true), Syscalls.linux());
        HeapBuffer buffer = announced.heaps().getFirst().exporter().allocate(HeapRequest.of(1));
        heap.withdraw();
        assertEquals(List.of(), announced.heaps());
        buffer.unmap(buffer.map(Access.READ_WRITE));
        buffer.release();
    }

    @ParameterizedTest
    @CsvSource({"heap_peers, no-such-user", "heap_mappable, yes", "backend, tee", "nodes, a/b", "heap_priority, high"})
    void a_mistake_in_a_changed_configuration_leaves_the_heap_as_it_is(String setting, String value) {
        SecureHeap heap = start(Map.of("backend", "memfd_secret"), Syscalls.linux());
        HeapExporter exporter = announced.heaps().getFirst().exporter();
        Map<String, Object> wrong = new HashMap<>();
        switch (setting) {
            case "heap_peers", "nodes" -> wrong.put(setting, new String[] {value});
            case "backend" -> wrong.put(setting, value);
            default -> {} // read from the properties
        }
        heap.configure(Announced.config(SecureHeap.Config.class, wrong), Map.of(setting.replace('_', '.'), value));
        assertEquals(1, announced.heaps().size());
        assertSame(exporter, announced.heaps().getFirst().exporter());

        heap.configure(
                Announced.config(SecureHeap.Config.class, Map.of("heap_peers", new String[] {"0"})),
                Map.of("heap.peers", "0"));
        assertEquals(List.of(0), announced.heaps().getFirst().properties().get("heap.peers"));
        heap.withdraw();
    }
}
