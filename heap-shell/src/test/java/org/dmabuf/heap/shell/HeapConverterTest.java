// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.felix.service.command.Converter;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.UsageRecord;
import org.junit.jupiter.api.Test;

class HeapConverterTest {
    private final HeapConverter converter = new HeapConverter();

    private static final HeapInfo SYSTEM = HeapInfo.of("system", HeapState.SERVING)
            .properties(Map.of("heap.name", "system", "heap.id", 0, "heap.type", "system", "heap.backend", "memfd"))
            .bundle("org.dmabuf.heap.system")
            .usage(
                    HeapUsage.unknown().withFree(23L << 30).withPool(new PoolUsage("recycled", 8192, 3, 1)),
                    Duration.ZERO)
            .charged(UsageRecord.builder().heap("system").live(2, 8192).lingering(1, 4096).build())
            .build();
    private static final HeapInfo CMA = HeapInfo.of("cma", HeapState.SHADOWED)
            .reason(Optional.of("its name is taken"))
            .properties(Map.of(
                    "heap.name", "cma", "heap.emulates", new String[] {"contiguous", "protected"}, "heap.dmabuf", true))
            .bundle("org.example.cma")
            .usage(HeapUsage.unknown().withCapacity(64 << 20), Duration.ZERO)
            .build();

    @Test
    void heaps_are_a_table_with_aligned_columns() {
        String table =
            """
            NAME    ID  TYPE    BACKEND  DMA-BUF  EMULATES              STATE     CAPACITY    FREE  LARGEST  BUFFERS\
                 LIVE  LINGERING
            system   0  system  memfd    no       -                     serving          -  23 GiB        -        2\
                8 KiB      4 KiB
            cma      -  -       -        yes      contiguous,protected  shadowed    64 MiB       -        -        0\
              0 bytes    0 bytes""";
        assertEquals(table, text(List.of(SYSTEM, CMA), Converter.INSPECT));
    }

    @Test
    void adopted_memory_is_the_last_line_of_the_heaps() {
        ListedHeaps listed = new ListedHeaps(
                List.of(SYSTEM),
                Optional.of(UsageRecord.builder().heap("adopted").live(1, 12_288).lingering(1, 4096).build()));
        assertEquals(
                """
                NAME     ID  TYPE    BACKEND  DMA-BUF  EMULATES  STATE    CAPACITY    FREE  LARGEST  BUFFERS    LIVE\
                  LINGERING
                system    0  system  memfd    no       -         serving         -  23 GiB        -        2   8 KiB\
                      4 KiB
                adopted   -  -       -        -        -         -               -       -        -        1  12 KiB\
                      4 KiB""",
                text(listed, Converter.INSPECT));
        assertEquals(List.of(SYSTEM), listed, "a script sees the heaps");
    }

    @Test
    void a_heap_that_could_not_start_is_shown_with_its_reason_and_its_file() {
        HeapInfo failed = HeapInfo.of("camera", HeapState.FAILED)
                .reason(Optional.of("no size is configured; set size (configuration x~camera, file x-camera.cfg)"))
                .properties(Map.of("heap.name", "camera"))
                .build();
        String table = text(new ListedHeaps(List.of(failed), Optional.empty()), Converter.INSPECT);
        assertTrue(table.contains("  failed  "), table);
        String text = text(failed, Converter.INSPECT);
        assertTrue(
                text.contains("state                 failed: no size is configured; set size (configuration x~camera,"
                        + " file x-camera.cfg)"),
                text);
    }

    @Test
    void one_heap_is_told_in_full_and_says_what_its_descriptors_are_not() {
        String text = text(new HeapDetails(List.of(SYSTEM)), Converter.INSPECT);
        assertTrue(
                text.contains("descriptors           no dma-buf: other processes map it, no device imports it"), text);
        assertTrue(text.contains("live                  2 buffers, 8192 bytes (8 KiB)"), text);
        assertTrue(text.contains("lingering             1 buffers, 4096 bytes (4 KiB), closed here"), text);
        assertTrue(text.contains("heap.backend          memfd"), text);
        assertTrue(
                text.contains("recycled              8192 bytes (8 KiB) kept ready, as part of what is free; served 3"
                        + " of 4 requests"),
                text);
    }

    @Test
    void the_reason_why_a_heap_does_not_serve_is_told() {
        String text = text(CMA, Converter.INSPECT);
        assertTrue(text.contains("state                 shadowed: its name is taken"), text);
    }

    @Test
    void a_heap_that_hangs_is_shown_as_hanging_with_figures_that_are_marked_as_old() {
        HeapInfo hangs = HeapInfo.of("camera", HeapState.HANGING)
                .reason(Optional.of("the release of a buffer hangs in its code for 7 s"))
                .properties(Map.of("heap.name", "camera"))
                .usage(HeapUsage.unknown().withCapacity(64 << 20).withFree(8 << 20), Duration.ofSeconds(9))
                .build();
        String table = text(List.of(hangs), Converter.INSPECT);
        assertTrue(table.contains("  hanging    64 MiB  8 MiB (9 s old)  - (9 s old)  "), table);
        String text = text(hangs, Converter.INSPECT);
        assertTrue(text.contains("state                 hanging: the release of a buffer hangs in its code for 7 s"));
        assertTrue(text.contains("usage                 asked in vain for 9 s; the figures below are older"), text);
        assertTrue(text.contains("free                  8388608 bytes (8 MiB)"), text);
    }

    @Test
    void what_is_not_ours_is_left_to_others() {
        assertNull(converter.format(List.of(), Converter.INSPECT, converter));
        assertNull(converter.format(List.of(SYSTEM, "text"), Converter.INSPECT, converter));
        assertNull(converter.format("text", Converter.INSPECT, converter));
    }

    @Test
    void a_row_of_the_wrong_length_is_refused() {
        assertThrows(IllegalArgumentException.class, () -> new Table("A", "B").row("1"));
    }

    private String text(Object target, int level) {
        return converter.format(target, level, converter).toString();
    }
}
