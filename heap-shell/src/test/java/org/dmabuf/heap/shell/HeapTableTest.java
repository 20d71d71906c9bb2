// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.UsageRecord;
import org.junit.jupiter.api.Test;

/** Tests of tables and descriptions of heaps in a terminal. */
class HeapTableTest {
    private static final HeapInfo SYSTEM = HeapInfo.of("system", HeapState.SERVING)
            .properties(Map.of("heap.name", "system", "heap.id", 0, "heap.type", "system", "heap.backend", "memfd"))
            .bundle("org.dmabuf.heap.system")
            .usage(
                    HeapUsage.unknown().withFree(23L << 30).withPool(new PoolUsage("recycled", 8192, 3, 1)),
                    Duration.ZERO)
            .charged(UsageRecord.builder()
                    .heap("system")
                    .live(2, 8192)
                    .lingering(1, 4096)
                    .build())
            .build();
    private static final HeapInfo CMA = HeapInfo.of("cma", HeapState.SHADOWED)
            .reason(Optional.of("its name is taken"))
            .properties(Map.of(
                    "heap.name", "cma", "heap.emulates", new String[] {"contiguous", "protected"}, "heap.dmabuf", true))
            .bundle("org.example.cma")
            .usage(HeapUsage.unknown().withCapacity(64 << 20), Duration.ZERO)
            .build();
    private static final HeapInfo SECURE = HeapInfo.of("secure", HeapState.SERVING)
            .properties(Map.of("heap.name", "secure", "heap.restricted", true, "heap.emulates", "protected"))
            .plainRefusal(Optional.of("it serves only requests that permit emulation: withEmulations(\"protected\");"
                    + " it serves only clients that an allow entry of org.dmabuf.heap.broker names; add"
                    + " secure=org.dmabuf.heap.shell"))
            .build();
    private static final HeapInfo CAMERA = HeapInfo.of("camera", HeapState.FAILED)
            .reason(Optional.of("no size is configured; set size, for instance to 256M (configuration"
                    + " org.dmabuf.heap.carveout~camera, file /opt/gateway/etc/org.dmabuf.heap.carveout-camera.cfg)"))
            .properties(Map.of("heap.name", "camera"))
            .build();

    private static String list(HeapInfo... heaps) {
        return new HeapTable(List.of(heaps), Optional.empty()).narrow();
    }

    private static void assertFits(String text) {
        text.lines().forEach(line -> assertTrue(line.length() <= 80, line));
    }

    @Test
    void heaps_that_refuse_plain_requests_have_a_line_below_the_table() {
        assertEquals("""
                NAME    TYPE    BACKEND  DMA-BUF  STATE       FREE     LIVE  LINGERING
                system  system  memfd    no       serving   23 GiB    8 KiB      4 KiB
                cma     -       -        yes      shadowed       -  0 bytes    0 bytes
                secure  -       -        no       serving        -  0 bytes    0 bytes
                camera  -       -        no       failed         -  0 bytes    0 bytes

                cma: shadowed: its name is taken
                secure: it serves only requests that permit emulation: --emulated protected; it
                  serves only clients that an allow entry of org.dmabuf.heap.broker names; add
                  secure=org.dmabuf.heap.shell
                camera: failed: no size is configured; set size, for instance to 256M
                  (configuration org.dmabuf.heap.carveout~camera, file
                  /opt/gateway/etc/org.dmabuf.heap.carveout-camera.cfg)""", list(SYSTEM, CMA, SECURE, CAMERA));
    }

    @Test
    void all_that_is_known_of_heaps_is_in_the_wide_table() {
        String wide = new HeapTable(List.of(SYSTEM, CMA), Optional.empty()).wide();
        assertTrue(wide.startsWith("""
            NAME    ID  TYPE    BACKEND  DMA-BUF  EMULATES              STATE     CAPACITY    FREE  LARGEST  BUFFERS\
                 LIVE  LINGERING
            system   0  system  memfd    no       -                     serving          -  23 GiB        -        2\
                8 KiB      4 KiB
            cma      -  -       -        yes      contiguous,protected  shadowed    64 MiB       -        -        0\
              0 bytes    0 bytes
            """), wide);
    }

    @Test
    void a_heap_with_a_name_of_usual_length_has_one_row() {
        HeapInfo contig = HeapInfo.of("system-contig", HeapState.SERVING)
                .properties(Map.of("heap.type", "system-contig", "heap.backend", "udmabuf-thp", "heap.dmabuf", true))
                .usage(HeapUsage.unknown().withFree(500L << 20), Duration.ZERO)
                .build();
        String table = list(SYSTEM, contig);
        assertEquals("""
                NAME           TYPE      BACKEND   DMA-BUF  STATE       FREE     LIVE  LINGERING
                system         system    memfd     no       serving   23 GiB    8 KiB      4 KiB
                system-contig  syst…tig  udma…thp  yes      serving  500 MiB  0 bytes    0 bytes""", table);
    }

    @Test
    void adopted_memory_is_the_last_row() {
        HeapTable table = new HeapTable(
                List.of(SYSTEM),
                Optional.of(UsageRecord.builder()
                        .heap("adopted")
                        .live(1, 12_288)
                        .lingering(1, 4096)
                        .build()));
        assertEquals("""
                NAME     TYPE    BACKEND  DMA-BUF  STATE      FREE    LIVE  LINGERING
                system   system  memfd    no       serving  23 GiB   8 KiB      4 KiB
                adopted  -       -        -        -             -  12 KiB      4 KiB""", table.narrow());
        assertTrue(table.wide().lines().skip(2).findFirst().orElseThrow().matches("adopted( +-){9} +1 +12 KiB +4 KiB"));
    }

    @Test
    void heaps_with_long_names_and_large_figures_fit_80_columns() {
        HeapInfo large = HeapInfo.of("n".repeat(60) + ".end", HeapState.DRAINING)
                .reason(Optional.of("its bundle was stopped"))
                .properties(Map.of("heap.type", "vendor-of-memory-type", "heap.backend", "vendor's-own-back-end"))
                .usage(HeapUsage.unknown().withFree(1023L << 30), Duration.ofDays(99))
                .charged(UsageRecord.builder()
                        .live(9_999_999, 1023L << 30)
                        .lingering(1, 1023L << 30)
                        .build())
                .build();
        String table = list(large, SYSTEM);
        assertFits(table);
        assertTrue(table.contains("\n" + large.name() + "\n"), "the name must be complete: " + table);
        assertTrue(table.contains("; its own figures are 99 d old"), table);
    }

    @Test
    void a_failed_heap_is_listed_with_its_reason_and_its_file() {
        String text = new HeapFacts(CAMERA).toString();
        assertFits(text);
        assertTrue(
                text.replaceAll("\\s+", " ")
                        .contains("state failed: no size is configured; set size, for instance to"
                                + " 256M (configuration org.dmabuf.heap.carveout~camera, file /opt/gateway/etc/"),
                text);
    }

    @Test
    void info_shows_all_of_a_heap_and_the_kind_of_its_descriptors() {
        String text = new HeapFacts(SYSTEM).toString();
        assertFits(text);
        assertTrue(text.contains("""
                descriptors           not a dma-buf: processes can map it, devices cannot use it
                """), text);
        assertTrue(text.contains("live                  2 buffers, 8192 bytes (8 KiB)"), text);
        assertTrue(text.contains("lingering             1 buffer, 4096 bytes (4 KiB), closed here"), text);
        assertTrue(text.contains("heap.backend          memfd"), text);
        assertTrue(text.contains("""
                        recycled              8192 bytes (8 KiB) kept ready, counted as free; served 3
                                              of 4 requests"""), text);
        assertFalse(text.contains("plain request"), text);
        assertTrue(new HeapFacts(SECURE).toString().contains("plain request         refused: it serves only requests"));
    }

    @Test
    void the_reason_why_a_heap_does_not_serve_is_listed() {
        assertTrue(new HeapFacts(CMA).toString().contains("state                 shadowed: its name is taken"));
    }

    @Test
    void a_hanging_heap_is_listed_with_the_age_of_its_figures() {
        HeapInfo hangs = HeapInfo.of("camera", HeapState.HANGING)
                .reason(Optional.of("the release of a buffer hangs in its code for 7 s"))
                .properties(Map.of("heap.name", "camera"))
                .usage(HeapUsage.unknown().withCapacity(64 << 20).withFree(8 << 20), Duration.ofSeconds(9))
                .build();
        String table = list(hangs);
        assertTrue(table.contains("  hanging  8 MiB  "), table);
        assertTrue(
                table.endsWith("\n\ncamera: hanging: the release of a buffer hangs in its code for 7 s; its own\n"
                        + "  figures are 9 s old"),
                table);
        String text = new HeapFacts(hangs).toString();
        assertTrue(text.contains("state                 hanging: the release of a buffer hangs in its code for 7 s"));
        assertTrue(text.contains("usage                 no answer for 9 s; the figures below are older"), text);
        assertTrue(text.contains("free                  8388608 bytes (8 MiB)"), text);
    }

    @Test
    void control_characters_are_escaped_whatever_their_source() {
        HeapInfo evil = HeapInfo.of("a\u001b[2J", HeapState.FAILED)
                .reason(Optional.of("b\u202e\nc"))
                .properties(Map.of("heap.type", "d\n", "heap.x\u0007", "e\u001b"))
                .build();
        String text = list(evil) + new HeapTable(List.of(evil), Optional.empty()).wide() + new HeapFacts(evil);
        assertFalse(text.matches("(?s).*[\\x00-\\x09\\x0b-\\x1f\\u202e].*") || text.contains("\nc"), text);
        assertTrue(text.contains("b\\u202e\\u000ac"), text);
    }
}
