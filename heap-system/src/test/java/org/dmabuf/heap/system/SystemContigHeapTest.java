// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.PhysicalRun;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.HeapContract;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.Logger;

/**
 * Tests of the heap with real large folios of the running kernel. Its dma-bufs are fakes, which pin nothing. The tests
 * on a real kernel check real ones, and huge pages.
 */
class SystemContigHeapTest {
    private static final long RUN = 2 << 20;
    private static final String DEVICE = "/dev/udmabuf";
    private static final Path POOL = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
    private static final int PUNCH_HOLE_KEEP_SIZE = 0x3;

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
    private SystemContigHeap heap;

    @BeforeEach
    void the_kernel_has_large_folios() throws IOException {
        Path settings = Path.of("/sys/kernel/mm/transparent_hugepage");
        assumeTrue(
                Files.exists(settings.resolve("shmem_enabled"))
                        && !Files.readString(settings.resolve("shmem_enabled")).contains("[deny]")
                        && Files.readString(settings.resolve("hpage_pmd_size"))
                                .strip()
                                .equals(Long.toString(RUN)),
                "skipped: this kernel has no large folios of 2 MiB for shareable memory");
    }

    @AfterEach
    void nothing_is_left_behind() {
        if (heap != null) {
            heap.withdraw();
        }
        before.assertNothingLeft();
    }

    private HeapExporter start(String backend) {
        return start(backend, kernel);
    }

    private HeapExporter start(String backend, Syscalls syscalls) {
        SystemContigHeap.Config config = Announced.config(
                SystemContigHeap.Config.class,
                Map.of("heap_name", "contig", "heap_id", -1, "heap_priority", -70, "backend", backend));
        heap = new SystemContigHeap(announced.context(), config, Map.of(), syscalls, log);
        return announced.heaps().isEmpty() ? null : announced.heaps().getFirst().exporter();
    }

    @Test
    void each_buffer_is_one_run_and_announced_as_such() {
        HeapExporter exporter = start("large-folio");
        Map<String, Object> properties = announced.heaps().getFirst().properties();
        assertEquals("system-contig", properties.get("heap.type"));
        assertEquals("large-folio", properties.get("heap.backend"));
        assertEquals(true, properties.get("heap.dmabuf"));
        assertEquals(true, properties.get("heap.contiguous"));
        assertEquals(RUN, properties.get("heap.contiguous.max"));
        assertEquals(RUN, properties.get("heap.size.max"));
        assertEquals(RUN, properties.get("heap.size.granule"));
        assertEquals(Bytes.PAGE, properties.get("heap.sg.entry"));
        assertEquals(false, properties.get("heap.export.readonly"));
        for (long size : new long[] {1, 64 << 10, RUN}) {
            HeapBuffer buffer = exporter.allocate(HeapRequest.of(size));
            assertEquals(RUN, buffer.size());
            MemorySegment mapping = buffer.map(Access.READ_WRITE);
            assertEquals(PhysicalRun.Result.ONE, new PhysicalRun(Syscalls.linux()).check("contig", mapping));
            assertEquals(-1, mapping.mismatch(MemorySegment.ofArray(new byte[(int) RUN])));
            mapping.fill((byte) 0x5a); // the next one must not show it
            assertEquals(RUN, exporter.usage().inLargeFolios().orElseThrow());
            buffer.release();
        }
        assertEquals(0, exporter.usage().inLargeFolios().orElseThrow());
    }

    @TestFactory
    Stream<DynamicTest> large_folios_keep_the_contract() {
        HeapExporter exporter = start("large-folio");
        Map<String, Object> asMemfds =
                new HashMap<>(announced.heaps().getFirst().properties());
        asMemfds.put("heap.dmabuf", false); // a memfd of the running kernel stands for a dma-buf
        return HeapContract.of(exporter, asMemfds).cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(
                            c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }));
    }

    /** A plain memfd could be split later. */
    @Test
    void a_buffer_without_export_is_pinned_as_well() {
        HeapExporter exporter = start("large-folio");
        long already = kernel.count("udmabufCreate");
        exporter.allocate(HeapRequest.of(RUN).withExport(ExportMode.NONE)).release();
        assertEquals(already + 1, kernel.count("udmabufCreate"));
    }

    @Test
    void a_larger_buffer_is_refused_before_any_system_call() {
        HeapExporter exporter = start("large-folio");
        long already = kernel.count("memfdCreate");
        HeapException refusal = assertThrows(HeapException.class, () -> exporter.allocate(HeapRequest.of(RUN + 1)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(
                "heap 'contig': 2101248 bytes exceed this heap's physical runs of 2 MiB; ask for less, or use a heap of"
                        + " CMA or a carveout",
                refusal.getMessage());
        assertEquals(already, kernel.count("memfdCreate"));
    }

    @Test
    void a_run_that_the_kernel_splits_before_it_is_pinned_is_refused() {
        boolean[] splitting = {false};
        Syscalls splitter = (Syscalls) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, a) -> {
                    if (splitting[0] && method.getName().equals("udmabufCreate")) {
                        assertEquals(0, kernel.fallocate((int) a[1], PUNCH_HOLE_KEEP_SIZE, Bytes.PAGE, Bytes.PAGE));
                    }
                    return method.invoke(kernel, a);
                });
        HeapExporter exporter = start("large-folio", splitter);
        ProcessState opened = ProcessState.now();
        splitting[0] = true;
        HeapException refusal = assertThrows(HeapException.class, () -> exporter.allocate(HeapRequest.of(RUN)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(
                refusal.getMessage().contains("the memory was not one run of 2 MiB when it was pinned"),
                refusal.getMessage());
        opened.assertNothingLeft();
        splitting[0] = false;
        exporter.allocate(HeapRequest.of(RUN)).release();
    }

    @ParameterizedTest
    @CsvSource({
        "memfdCreate, EMFILE", "ftruncate, ENOMEM", "fallocate, ENOSPC", "fcntl, EPERM", "mmap, ENOMEM",
        "madvise, ENOMEM", "udmabufCreate, ENOMEM", "dmaBufSetName, EFAULT", "ioctl, EFAULT", "ioctl, ENOMEM"
    })
    void a_failed_call_leaves_nothing(String call, Errno errno) {
        HeapExporter exporter = start("large-folio");
        ProcessState opened = ProcessState.now();
        kernel.fail(call, errno);
        HeapException refusal = assertThrows(HeapException.class, () -> exporter.allocate(HeapRequest.of(RUN)));
        assertTrue(refusal.getMessage().startsWith("heap 'contig': "), refusal.getMessage());
        kernel.heal();
        opened.assertNothingLeft();
        assertEquals(0, exporter.usage().inLargeFolios().orElseThrow());
    }

    @Test
    void a_kernel_that_refuses_large_folios_has_no_such_heap() {
        kernel.fail("madvise", Errno.EINVAL);
        start("large-folio");
        assertTrue(
                announced.refusal().startsWith("the kernel makes no large folio of 2 MiB; use "), announced::refusal);
    }

    @Test
    void auto_takes_huge_pages_only_where_the_machine_has_set_some_aside() throws IOException {
        assumeNoHugePages();
        start("auto");
        assertEquals("large-folio", announced.heaps().getFirst().properties().get("heap.backend"));
        assertEquals(
                List.of("info [heap '{}' takes its memory from {}, contig, large-folio, since this machine has set"
                        + " aside no huge pages of 2 MiB; write their number into "
                        + POOL + "]"),
                logged);
    }

    private static void assumeNoHugePages() throws IOException {
        assumeTrue(
                !Files.exists(POOL) || Files.readString(POOL).strip().equals("0"),
                "skipped: this machine has set aside huge pages");
    }

    @Test
    void a_heap_that_is_configured_for_huge_pages_waits_for_them() throws IOException {
        assumeNoHugePages();
        start("huge-page");
        assertEquals(List.of(), announced.heaps());
        assertThrows(AssertionError.class, announced::refusal); // because its start is repeated
    }

    @Test
    void a_missing_device_is_the_reason_that_there_is_no_heap() {
        devices.without(DEVICE, Errno.ENOENT);
        start("large-folio");
        assertTrue(announced.waiting().startsWith("open(/dev/udmabuf) failed: "), announced::waiting);
    }

    @Test
    void an_unknown_back_end_is_refused_with_the_known_ones() {
        start("memfd");
        assertEquals(
                "invalid backend = memfd in org.dmabuf.heap.system.contig: expected auto, huge-page or large-folio",
                announced.refusal());
    }
}
