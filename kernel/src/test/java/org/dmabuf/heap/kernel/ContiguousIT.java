// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.PhysicalRun;
import org.dmabuf.heap.linux.source.ContiguousSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of buffers that are one physical run, with real dma-bufs, by the numbers of their frames. */
class ContiguousIT {
    private static final String HEAP = "contig";
    private static final Path POOL = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB");
    /** More than the contract uses at once, except for the case of 100 threads. */
    private static final int HUGE_PAGES = 128;

    private enum Kind {
        HUGE_PAGE,
        LARGE_FOLIO;

        ContiguousSource open() {
            Syscalls linux = Syscalls.linux();
            return this == HUGE_PAGE
                    ? ContiguousSource.onHugePages(HEAP, linux, Headroom.machine())
                    : ContiguousSource.inLargeFolios(HEAP, linux, Headroom.machine());
        }
    }

    @BeforeAll
    static void huge_pages_are_set_aside() throws IOException {
        Files.writeString(POOL.resolve("nr_hugepages"), Integer.toString(HUGE_PAGES));
        assertTrue(number("free_hugepages") >= HUGE_PAGES / 2, "the guest gives no huge pages");
    }

    private static long number(String file) throws IOException {
        return Long.parseLong(Files.readString(POOL.resolve(file)).strip());
    }

    @TestFactory
    Stream<DynamicTest> huge_pages_keep_the_contract() throws IOException {
        return contract(
                Kind.HUGE_PAGE.open(),
                Map.of(
                        "100_threads_allocate_map_and_release_at_once",
                        "its buffers take more huge pages than the guest sets aside"));
    }

    @TestFactory
    Stream<DynamicTest> large_folios_keep_the_contract() throws IOException {
        return contract(Kind.LARGE_FOLIO.open(), Map.of());
    }

    private static Stream<DynamicTest> contract(ContiguousSource source, Map<String, String> more) throws IOException {
        Map<String, Object> announced = new HashMap<>(source.properties());
        announced.put(HeapProperties.NAME, HEAP);
        Properties skips = new Properties();
        try (var list = ContiguousIT.class.getResourceAsStream("/contiguous.properties")) {
            skips.load(list);
        }
        Map<String, String> reasons = new HashMap<>(more);
        skips.stringPropertyNames().forEach(name -> reasons.put(name, skips.getProperty(name)));
        return HeapContract.of(source, announced).skipping(reasons).cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(
                            c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }))
                .onClose(source::close);
    }

    @ParameterizedTest
    @EnumSource
    void each_buffer_is_one_aligned_run_and_zero(Kind kind) throws IOException {
        try (ContiguousSource source = kind.open()) {
            List<HeapBuffer> buffers = new ArrayList<>();
            try {
                for (int i = 0; i < 8; i++) {
                    HeapBuffer buffer = source.allocate(HeapRequest.of(1 + i * 200_000L));
                    buffers.add(buffer);
                    MemorySegment mapping = buffer.map(Access.READ_WRITE);
                    long first = Frames.of(mapping)[0];
                    assertEquals(0, first % (PhysicalRun.BYTES / Bytes.PAGE));
                    assertOneRun(mapping);
                    assertEquals(-1, mapping.mismatch(MemorySegment.ofArray(new byte[(int) PhysicalRun.BYTES])));
                    mapping.fill((byte) 0x5a);
                }
                compact(); // which cannot move pinned memory
                for (HeapBuffer buffer : buffers) {
                    assertOneRun(buffer.map(Access.READ));
                    assertEquals(0x5a, buffer.map(Access.READ).get(ValueLayout.JAVA_BYTE, PhysicalRun.BYTES - 1));
                }
            } finally {
                buffers.forEach(HeapBuffer::release);
            }
        }
    }

    private static void assertOneRun(MemorySegment mapping) throws IOException {
        long[] frames = Frames.of(mapping);
        assertEquals(PhysicalRun.BYTES / Bytes.PAGE, frames.length);
        for (int page = 0; page < frames.length; page++) {
            assertEquals(frames[0] + page, frames[page], "page " + page);
        }
    }

    private static void compact() throws IOException {
        Files.writeString(Path.of("/proc/sys/vm/compact_memory"), "1");
        Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "2"); // the shrinkers split large folios
    }

    @ParameterizedTest
    @EnumSource
    void an_operator_s_limit_below_one_run_is_announced_until_it_is_raised(Kind kind) throws IOException {
        Path limit = Path.of("/sys/module/udmabuf/parameters/size_limit_mb");
        String before = Files.readString(limit);
        try (ContiguousSource source = kind.open()) {
            assertEquals(PhysicalRun.BYTES, source.properties().get(HeapProperties.SIZE_MAX));
            Files.writeString(limit, "1");
            try {
                assertEquals(0L, source.properties().get(HeapProperties.SIZE_MAX));
                assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(Bytes.PAGE)));
            } finally {
                Files.writeString(limit, before);
            }
            assertEquals(PhysicalRun.BYTES, source.properties().get(HeapProperties.SIZE_MAX));
            source.allocate(HeapRequest.of(Bytes.PAGE)).release();
        }
    }

    @Test
    void the_pool_of_huge_pages_limits_the_buffers_and_gets_each_back() throws IOException {
        long free = number("free_hugepages");
        try (ContiguousSource source = Kind.HUGE_PAGE.open()) {
            List<HeapBuffer> buffers = new ArrayList<>();
            try {
                for (long i = 0; i < free; i++) {
                    buffers.add(source.allocate(HeapRequest.of(Bytes.PAGE)));
                    assertEquals(
                            (free - i - 1) * PhysicalRun.BYTES,
                            source.usage().free().orElseThrow());
                }
                HeapException refusal =
                        assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(Bytes.PAGE)));
                assertEquals(Errno.ENOMEM, refusal.errno());
                assertTrue(
                        refusal.getMessage().contains("2097152 bytes take 1 huge page of 2 MiB, and 0 of "),
                        refusal.getMessage());
            } finally {
                buffers.forEach(HeapBuffer::release);
            }
            assertEquals(free, number("free_hugepages"));
        }
    }
}
