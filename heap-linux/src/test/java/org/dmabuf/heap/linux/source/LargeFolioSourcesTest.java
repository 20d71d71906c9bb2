// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.MadeUpFolios;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of large folios of the running kernel: the sources use them, and a client sees no difference. */
class LargeFolioSourcesTest {
    private static final long FOLIO = 2 << 20;
    private static final int FIXED_SIZE = Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_GROW | Memfd.F_SEAL_SEAL;

    private final Syscalls linux = Syscalls.linux();
    private final MemfdSource source =
            MemfdSource.open("camera", linux, Headroom.machine(), MadeUpFolios.timeless(linux));

    @BeforeEach
    void the_kernel_has_large_folios() {
        assumeTrue(MadeUpFolios.exist(), "skipped: this kernel has no large folios for shareable memory");
    }

    /** Leaves memory with other content to the kernel, whose next large folios must be zero. */
    private void leaveOldContent(long size) {
        HeapBuffer old = source.allocate(HeapRequest.of(size));
        MemorySegment mapping = old.map(Access.READ_WRITE);
        mapping.fill((byte) 0x5a);
        old.unmap(mapping);
        old.release();
    }

    private long inLargeFolios() {
        return source.usage().inLargeFolios().orElseThrow();
    }

    /** {@return bytes of a mapping that one entry of a page table maps for each large folio} */
    private static long mappedLarge(MemorySegment mapping) throws IOException {
        String start = Long.toHexString(mapping.address()) + "-";
        Iterator<String> lines = Files.readAllLines(Path.of("/proc/self/smaps"), StandardCharsets.ISO_8859_1)
                .iterator();
        while (lines.hasNext()) {
            if (lines.next().startsWith(start)) {
                while (lines.hasNext()) {
                    String line = lines.next();
                    if (line.startsWith("ShmemPmdMapped:")) {
                        return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                    }
                }
            }
        }
        throw new AssertionError("the mapping is not in smaps");
    }

    private static void assertZero(MemorySegment mapping) {
        assertEquals(-1, mapping.mismatch(MemorySegment.ofArray(new byte[(int) mapping.byteSize()])));
    }

    @ParameterizedTest
    @CsvSource({
        "READ_WRITE, 2097152", "READ_WRITE, 16777216", "READ_WRITE, 3110400", "READ_WRITE, 12441600",
        "READ_ONLY, 2097152", "READ_ONLY, 16777216", "READ_ONLY, 3110400", "READ_ONLY, 12441600"
    })
    void a_large_buffer_is_zero_exact_and_sealed_and_lies_in_large_folios(ExportMode mode, long asked)
            throws IOException {
        leaveOldContent(32 << 20);
        HeapBuffer buffer = source.allocate(HeapRequest.of(asked).withExport(mode));
        long size = Bytes.wholePages(asked);
        int fd = buffer.descriptor();
        assertEquals(size, buffer.size());
        assertEquals(size, linux.size(fd));
        assertEquals(size, linux.allocated(fd));
        assertEquals(FIXED_SIZE, linux.fcntl(fd, Memfd.F_GET_SEALS, 0) & FIXED_SIZE);
        assertEquals(size & -FOLIO, inLargeFolios());
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        assertEquals(0, mapping.address() % FOLIO);
        assertEquals(size & -FOLIO, mappedLarge(mapping));
        assertZero(mapping);
        mapping.fill((byte) 1);
        buffer.unmap(mapping);
        buffer.release();
        assertEquals(0, inLargeFolios());
    }

    @Test
    void a_small_buffer_has_none() {
        HeapBuffer buffer = source.allocate(HeapRequest.of(FOLIO - Bytes.PAGE));
        assertEquals(0, inLargeFolios());
        buffer.release();
    }

    @Test
    void memory_that_a_pool_keeps_lies_in_large_folios_and_is_mapped_as_such() throws IOException {
        try (MemorySource pooled = PooledSource.over(
                source, "camera", linux, Headroom.machine(), PoolBudget.none().withRecycled(8 * FOLIO))) {
            HeapRequest request = HeapRequest.of(4 * FOLIO).withExport(ExportMode.NONE);
            pooled.allocate(request).release();
            assertEquals(4 * FOLIO, pooled.usage().inLargeFolios().orElseThrow());
            HeapBuffer again = pooled.allocate(request);
            assertEquals(4 * FOLIO, mappedLarge(again.map(Access.READ_WRITE)));
            again.release();
            pooled.trim(Long.MAX_VALUE);
            assertEquals(0, pooled.usage().inLargeFolios().orElseThrow());
        }
    }

    /** The dma-buf is a fake, which changes nothing about the region's memory. */
    @Test
    void a_region_that_exports_its_own_ranges_lies_in_large_folios() throws IOException {
        UdmabufKernel kernel = new UdmabufKernel();
        leaveOldContent(16 * FOLIO);
        try (RegionSource region = region(kernel, RegionLayout.Exports.UDMABUF)) {
            long large = region.usage().inLargeFolios().orElseThrow();
            // Memory that the kernel has to move can end the attempt.
            assertTrue(large > 0 && large <= 8 * FOLIO, large + " bytes");
            HeapBuffer buffer = region.allocate(HeapRequest.of(8 * FOLIO));
            MemorySegment mapping = buffer.map(Access.READ_WRITE);
            assertEquals(large, mappedLarge(mapping));
            assertZero(mapping);
            buffer.release();
        }
    }

    /** A holder of a part of a large folio keeps all of it, so that a punched neighbour would not be released. */
    @ParameterizedTest
    @EnumSource(names = {"UDMABUF", "MEMFD"})
    void a_region_that_punches_holes_has_small_pages(RegionLayout.Exports exports) {
        UdmabufKernel kernel = new UdmabufKernel();
        kernel.lendsPages = true; // the region then replaces pages that a holder may keep
        try (RegionSource region = region(kernel, exports)) {
            assertEquals(0, region.usage().inLargeFolios().orElseThrow());
        }
    }

    private static RegionSource region(UdmabufKernel kernel, RegionLayout.Exports exports) {
        return RegionSource.open(
                "camera", RegionLayout.of(8 * FOLIO, "size").withExports(exports), kernel.syscalls, Headroom.machine());
    }

    @ParameterizedTest
    @ValueSource(longs = {2, 5})
    void a_process_without_large_folios_gets_the_same_buffers_and_one_line_in_the_log(long folios)
            throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        "python3",
                        "-c",
                        "import ctypes, os, sys\n"
                                + "assert ctypes.CDLL(None).prctl(41, 1, 0, 0, 0) == 0  # PR_SET_THP_DISABLE\n"
                                + "os.execv(sys.argv[1], sys.argv[1:])",
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-XX:+UseSerialGC",
                        "-Xmx64m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        WithoutLargeFolios.class.getName(),
                        Long.toString(folios * FOLIO))
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        List<String> lines = output.lines().toList();
        assertEquals(0, process.waitFor(), lines::toString);
        assertEquals(
                1,
                lines.stream()
                        .filter(line -> line.contains("refuses large folios"))
                        .count(),
                lines::toString);
        assertTrue(lines.contains("3 buffers, 0 bytes in large folios"), lines::toString);
    }

    /** Program of that process. */
    static final class WithoutLargeFolios {
        public static void main(String[] arguments) {
            long size = Long.parseLong(arguments[0]);
            MemfdSource source = MemfdSource.open("camera");
            for (int i = 0; i < 3; i++) {
                HeapBuffer buffer = source.allocate(HeapRequest.of(size));
                MemorySegment mapping = buffer.map(Access.READ_WRITE);
                assertZero(mapping);
                mapping.fill((byte) 0x5a);
                buffer.unmap(mapping);
                assertEquals(size, Syscalls.linux().allocated(buffer.descriptor()));
                buffer.release();
            }
            RecordedLog.lines().forEach(System.out::println);
            System.out.println("3 buffers, " + source.usage().inLargeFolios().orElseThrow() + " bytes in large folios");
        }
    }
}
