// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.Logger;

/** Tests of the chosen back end for a configured word and a machine, and of its log line. */
class BackendTest {
    private static final String NODE = "/dev/dma_heap/system";
    private static final String DEVICE = "/dev/udmabuf";

    private final ProcessState before = ProcessState.now();
    private final Announced announced = new Announced();
    private final DmaBufKernel devices = new DmaBufKernel();
    private final FaultySyscalls kernel = new FaultySyscalls(devices.syscalls);
    private final List<String> logged = new ArrayList<>();
    private final Logger log = (Logger) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Logger.class}, (proxy, method, arguments) -> {
                logged.add(method.getName() + " " + Arrays.deepToString(arguments));
                return null;
            });

    @AfterEach
    void nothing_is_left_behind() {
        before.assertNothingLeft();
    }

    private SystemHeap start(String backend) {
        return new SystemHeap(announced.context(), Configs.config("main", 0, 0, backend), Map.of(), kernel, log);
    }

    private Object announces(String property) {
        return announced.heaps().getFirst().properties().get(property);
    }

    @ParameterizedTest(name = "auto: the heap {0}, udmabuf {1}: {2}")
    @CsvSource({
        ", , dma-heap, true, 0",
        ", ENOENT, dma-heap, true, 0",
        "ENOENT, , udmabuf, true, 1",
        "EACCES, , udmabuf, true, 1",
        "EPERM, , udmabuf, true, 1",
        "ENODEV, , udmabuf, true, 1",
        "ENXIO, , udmabuf, true, 1",
        "ENOENT, ENOENT, memfd, false, 2",
        "EACCES, EACCES, memfd, false, 2",
        "ENOENT, EACCES, memfd, false, 2",
        "EACCES, ENODEV, memfd, false, 2"
    })
    void auto_uses_the_best_permitted_back_end_and_logs_why_better_ones_failed(
            Errno heap, Errno udmabuf, String backend, boolean dmabuf, int reasons) {
        if (heap != null) {
            devices.without(NODE, heap);
        }
        if (udmabuf != null) {
            devices.without(DEVICE, udmabuf);
        }
        SystemHeap started = start("auto");
        assertEquals(backend, announces("heap.backend"));
        assertEquals(dmabuf, announces("heap.dmabuf"));
        assertEquals(!dmabuf, announces("heap.export.readonly"));
        announced.heaps().getFirst().exporter().allocate(HeapRequest.of(1)).release();
        assertEquals(Math.min(1, reasons), logged.size(), logged.toString());
        if (reasons > 0) {
            String line = logged.getFirst();
            assertTrue(line.startsWith("info "), line);
            String why = "main, " + backend + ", since open(" + NODE + ") failed: " + heap.meaning();
            assertTrue(line.contains(why), line);
            assertEquals(reasons == 2, line.contains("; and open(" + DEVICE + ") failed: "), line);
        }
        started.withdraw();
    }

    @Test
    void the_reasons_come_with_their_remedies() {
        devices.without(NODE, Errno.EACCES).without(DEVICE, Errno.ENOENT);
        start("auto").withdraw();
        assertEquals(
                List.of("info [heap '{}' takes its memory from {}, main, memfd, since open(/dev/dma_heap/system)"
                        + " failed:"
                        + " permission denied; give the node to a group that this process is in: the gateway's udev"
                        + " rule 60-dmaheap.rules gives it to dmaheap; and open(/dev/udmabuf) failed: no such file or"
                        + " directory; take a kernel that has CONFIG_UDMABUF=y, and give a container the node"
                        + " (--device=/dev/udmabuf)]"),
                logged);
    }

    @Test
    void a_node_that_is_not_a_heap_is_skipped() {
        kernel.fail("dmaHeapAllocate", Errno.ENOTTY);
        SystemHeap started = start("auto");
        assertEquals("udmabuf", announces("heap.backend"));
        assertTrue(logged.getFirst().contains("its node is not a heap of the kernel"), logged.toString());
        started.withdraw();
    }

    @Test
    void udmabuf_that_refuses_a_page_is_skipped() {
        devices.without(NODE, Errno.ENOENT);
        kernel.fail("udmabufCreate", Errno.EINVAL);
        SystemHeap started = start("auto");
        assertEquals("memfd", announces("heap.backend"));
        assertTrue(logged.getFirst().contains("size_limit_mb"), logged.toString());
        started.withdraw();
    }

    @ParameterizedTest
    @CsvSource({"dmaHeapAllocate, ENOMEM", "open, EMFILE", "open, ENFILE", "dmaHeapAllocate, EMFILE"})
    void a_temporary_shortage_does_not_choose_the_back_end(String call, Errno errno) {
        kernel.fail(call, errno);
        SystemHeap started = start("auto");
        assertEquals(List.of(), announced.heaps());
        kernel.heal();
        assertEquals("dma-heap", announced.awaited().properties().get("heap.backend"));
        assertEquals(List.of(), logged); // no better back end was skipped
        started.withdraw();
        assertEquals(List.of(), announced.heaps());
    }

    @ParameterizedTest
    @ValueSource(strings = {"dma-heap", "udmabuf", "memfd"})
    void a_configured_back_end_is_used_without_a_log_line_even_if_a_better_one_exists(String backend) {
        SystemHeap started = start(backend);
        assertEquals(backend, announces("heap.backend"));
        assertEquals(!backend.equals("memfd"), announces("heap.dmabuf"));
        assertEquals(List.of(), logged);
        started.withdraw();
    }

    @ParameterizedTest
    @CsvSource({"dma-heap, " + NODE + ", ENOENT", "udmabuf, " + DEVICE + ", EACCES"})
    void a_configured_back_end_that_is_missing_fails_with_the_reason(String backend, String path, Errno errno) {
        devices.without(path, errno);
        start(backend);
        String expected = "open(" + path + ") failed: " + errno.meaning() + "; ";
        assertTrue(announced.refusal().startsWith(expected), announced.refusal());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "dmaheap", "AUTO", "memfd "})
    void an_unknown_back_end_is_refused_with_the_known_ones(String word) {
        start(word);
        assertEquals(
                "invalid backend = " + (word.isBlank() || word.endsWith(" ") ? "'" + word + "'" : word)
                        + " in org.dmabuf.heap.system: expected auto, dma-heap, udmabuf or memfd",
                announced.refusal());
    }

    @Test
    void a_heap_that_cannot_be_registered_closes_its_device() {
        assertThrows(
                IllegalStateException.class,
                () -> new SystemHeap(
                        Announced.stopped(), Configs.config("main", 0, 0, "dma-heap"), Map.of(), kernel, log));
    }

    @Test
    void a_withdrawn_heap_closes_its_device_and_its_buffers_still_work() {
        SystemHeap heap = start("dma-heap");
        HeapBuffer buffer = announced.heaps().getFirst().exporter().allocate(HeapRequest.of(1));
        long closes = kernel.count("close");
        heap.withdraw();
        assertEquals(closes + 1, kernel.count("close"));
        assertTrue(buffer.descriptor() >= 0);
        buffer.release();
    }

    @Test
    void an_unknown_setting_is_logged() {
        new SystemHeap(
                        announced.context(),
                        Configs.config("main", 0, 0, "dma-heap"),
                        Map.of("back.end", "memfd", "backend", "dma-heap"),
                        kernel,
                        log)
                .withdraw();
        assertEquals(1, logged.size(), logged::toString);
        assertTrue(
                logged.getFirst()
                        .startsWith("warn [unknown setting back.end in org.dmabuf.heap.system: expected one of backend,"
                                + " heap.id"),
                logged::getFirst);
    }

    @Test
    void an_empty_name_is_the_default_name_in_the_log_too() {
        devices.without(NODE, Errno.ENOENT);
        new SystemHeap(announced.context(), Configs.config("", 0, 0, "auto"), Map.of(), kernel, log).withdraw();
        assertTrue(
                logged.getFirst().startsWith("info [heap '{}' takes its memory from {}, system, udmabuf"),
                logged::getFirst);
    }
}
