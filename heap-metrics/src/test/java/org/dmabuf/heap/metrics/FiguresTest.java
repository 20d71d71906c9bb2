// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DurationHistogram;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.UsageRecord;
import org.junit.jupiter.api.Test;

class FiguresTest {
    private final MadeUpMonitor monitor = new MadeUpMonitor();
    private final Figures figures = new Figures(monitor, 2);

    private String text() {
        return figures.text(Format.OPEN_METRICS);
    }

    /** {@return the value of a sample, empty if there is no such sample} */
    private Optional<String> value(String sample) {
        return text().lines()
                .filter(line -> line.startsWith(sample + " "))
                .map(line -> line.substring(sample.length() + 1))
                .findFirst();
    }

    private void assertValue(String expected, String sample) {
        assertEquals(Optional.of(expected), value(sample), this::text);
    }

    private static UsageRecord.Builder client(String name) {
        return UsageRecord.builder().client(ClientId.of("uid", name));
    }

    @Test
    void a_heap_has_its_own_figures_and_its_charges() {
        monitor.heaps = List.of(HeapInfo.of("camera", HeapState.SERVING)
                .usage(
                        HeapUsage.unknown()
                                .withCapacity(8 << 20)
                                .withFree(4 << 20)
                                .withLargestFree(1 << 20)
                                .withQuarantined(4096)
                                .withInLargeFolios(2 << 20)
                                .withFragmentation(0.75)
                                .withPool(new PoolUsage("prewarmed", 65536, 5, 3)),
                        Duration.ZERO)
                .build());
        monitor.byHeap = List.of(UsageRecord.builder()
                .heap("camera")
                .live(2, 8192)
                .lingering(1, 4096)
                .peak(16384)
                .limit(OptionalLong.of(65536))
                .allocated(10, 40960)
                .failures(Map.of(Errno.ENOMEM, 3L))
                .leaked(4)
                .build());
        assertValue("1", "dmaheap_heap_serving{heap=\"camera\"}");
        assertValue("8388608", "dmaheap_heap_capacity_bytes{heap=\"camera\"}");
        assertValue("4194304", "dmaheap_heap_free_bytes{heap=\"camera\"}");
        assertValue("1048576", "dmaheap_heap_largest_free_bytes{heap=\"camera\"}");
        assertValue("4096", "dmaheap_heap_quarantined_bytes{heap=\"camera\"}");
        assertValue("2097152", "dmaheap_heap_large_folio_bytes{heap=\"camera\"}");
        assertValue("0.75", "dmaheap_heap_fragmentation_ratio{heap=\"camera\"}");
        assertValue("65536", "dmaheap_heap_pool_bytes{heap=\"camera\",pool=\"prewarmed\"}");
        assertValue("5", "dmaheap_heap_pool_hits_total{heap=\"camera\",pool=\"prewarmed\"}");
        assertValue("3", "dmaheap_heap_pool_misses_total{heap=\"camera\",pool=\"prewarmed\"}");
        assertValue("2", "dmaheap_heap_live_buffers{heap=\"camera\"}");
        assertValue("8192", "dmaheap_heap_live_bytes{heap=\"camera\"}");
        assertValue("1", "dmaheap_heap_lingering_buffers{heap=\"camera\"}");
        assertValue("4096", "dmaheap_heap_lingering_bytes{heap=\"camera\"}");
        assertValue("16384", "dmaheap_heap_peak_bytes{heap=\"camera\"}");
        assertValue("65536", "dmaheap_heap_quota_bytes{heap=\"camera\"}");
        assertValue("10", "dmaheap_heap_allocations_total{heap=\"camera\"}");
        assertValue("40960", "dmaheap_heap_allocated_bytes_total{heap=\"camera\"}");
        assertValue("3", "dmaheap_heap_failures_total{heap=\"camera\",cause=\"ENOMEM\"}");
        assertValue("4", "dmaheap_heap_leaked_buffers_total{heap=\"camera\"}");
    }

    @Test
    void an_unknown_figure_has_no_sample() {
        monitor.heaps = List.of(HeapInfo.of("camera", HeapState.SERVING).build());
        monitor.byHeap = List.of(UsageRecord.builder().heap("camera").build());
        assertEquals(Optional.empty(), value("dmaheap_heap_capacity_bytes{heap=\"camera\"}"));
        assertEquals(Optional.empty(), value("dmaheap_heap_quota_bytes{heap=\"camera\"}"));
        assertEquals(Optional.empty(), value("dmaheap_memory_stall_seconds_total"));
    }

    @Test
    void a_histogram_counts_all_durations_below_each_bound() {
        long[] counts = new long[16];
        counts[0] = 2;
        counts[6] = 1;
        counts[15] = 1;
        monitor.byHeap = List.of(UsageRecord.builder()
                .heap("camera")
                .allocationTimes(DurationHistogram.of(counts, Duration.ofMillis(12_001)))
                .build());
        String bucket = "dmaheap_heap_allocation_seconds_bucket{heap=\"camera\",le=";
        assertValue("2", bucket + "\"1e-06\"}");
        assertValue("2", bucket + "\"0.0005\"}");
        assertValue("3", bucket + "\"0.001\"}");
        assertValue("3", bucket + "\"10.0\"}");
        assertValue("4", bucket + "\"+Inf\"}");
        assertValue("4", "dmaheap_heap_allocation_seconds_count{heap=\"camera\"}");
        assertValue("12.001", "dmaheap_heap_allocation_seconds_sum{heap=\"camera\"}");
    }

    @Test
    void a_heap_of_a_name_serves_if_one_of_them_does() {
        monitor.heaps = List.of(
                HeapInfo.of("camera", HeapState.SERVING).build(),
                HeapInfo.of("camera", HeapState.SHADOWED).build(),
                HeapInfo.of("display", HeapState.WAITING).build(),
                HeapInfo.of("service 17", HeapState.REFUSED).build(),
                HeapInfo.of("stuck", HeapState.HANGING).build(),
                HeapInfo.of("gone", HeapState.DEPARTED)
                        .usage(HeapUsage.unknown().withCapacity(4096), Duration.ZERO)
                        .build());
        assertValue("1", "dmaheap_heap_serving{heap=\"stuck\"}");
        assertEquals(Optional.empty(), value("dmaheap_heap_capacity_bytes{heap=\"gone\"}"));
        assertValue("1", "dmaheap_heap_serving{heap=\"camera\"}");
        assertValue("0", "dmaheap_heap_serving{heap=\"display\"}");
        assertEquals(Optional.empty(), value("dmaheap_heap_serving{heap=\"service 17\"}"));
        assertValue("1", "dmaheap_heaps{state=\"refused\"}");
        assertValue("0", "dmaheap_heaps{state=\"failed\"}");
    }

    @Test
    void further_clients_are_summed_and_no_counter_of_them_falls() {
        monitor.byClient = List.of(
                client("1").allocated(1, 1).build(),
                client("2").allocated(2, 2).build(),
                client("3").allocated(3, 3).live(1, 100).build(),
                client("4").allocated(4, 4).live(1, 10).build());
        assertValue("2", "dmaheap_client_allocations_total{client=\"uid:2\"}");
        assertValue("7", "dmaheap_client_allocations_total{client=\"other\"}");
        assertValue("110", "dmaheap_client_live_bytes{client=\"other\"}");

        monitor.byClient = List.of(
                client("2").allocated(2, 2).build(),
                client("3").allocated(5, 5).live(1, 100).build(),
                client("5").allocated(1, 1).build());
        assertValue("9", "dmaheap_client_allocations_total{client=\"other\"}");
        assertValue("100", "dmaheap_client_live_bytes{client=\"other\"}");
        assertValue("1", "dmaheap_client_allocations_total{client=\"uid:5\"}");
        assertEquals(Optional.empty(), value("dmaheap_client_allocations_total{client=\"uid:1\"}"));

        monitor.byClient = List.of();
        assertValue("9", "dmaheap_client_allocations_total{client=\"other\"}");
        assertValue("0", "dmaheap_client_live_bytes{client=\"other\"}");
    }

    @Test
    void the_counts_of_one_of_the_others_stay_if_it_is_back_with_new_ones_before_the_next_scrape() {
        UsageRecord one = client("1").build();
        UsageRecord two = client("2").build();
        UsageRecord.Builder three =
                client("3").allocated(3, 300).failures(Map.of(Errno.ENOMEM, 5L)).waits(2, Duration.ZERO, Duration.ZERO);
        monitor.byClient = List.of(one, two, three.leaked(4).build());
        assertValue("3", "dmaheap_client_allocations_total{client=\"other\"}");

        List<UsageRecord> later = List.of(
                client("3").allocated(2, 600).build(),
                client("3").allocated(4, 50).failures(Map.of(Errno.EACCES, 9L)).build(),
                client("3").allocated(5, 60).failures(Map.of(Errno.EACCES, 8L)).build());
        long allocations = 3;
        long bytes = 300;
        for (UsageRecord record : later) {
            monitor.byClient = List.of(one, two, record);
            assertValue(
                    Long.toString(allocations + record.allocations()),
                    "dmaheap_client_allocations_total{client=\"other\"}");
            assertValue(
                    Long.toString(bytes + record.allocatedBytes()),
                    "dmaheap_client_allocated_bytes_total{client=\"other\"}");
            assertValue("5", "dmaheap_client_failures_total{client=\"other\",cause=\"ENOMEM\"}");
            assertValue("4", "dmaheap_client_leaked_buffers_total{client=\"other\"}");
            allocations += record.allocations();
            bytes += record.allocatedBytes();
        }
    }

    @Test
    void the_limit_also_holds_for_clients_on_heaps() {
        monitor.byClient =
                IntStream.range(0, 5).mapToObj(i -> client("" + i).build()).toList();
        monitor.byClientAndHeap = IntStream.range(0, 5)
                .mapToObj(i -> client("" + i).heap("camera").live(1, 1000).build())
                .toList();
        assertValue("1000", "dmaheap_client_heap_live_bytes{heap=\"camera\",client=\"uid:1\"}");
        assertValue("3000", "dmaheap_client_heap_live_bytes{heap=\"camera\",client=\"other\"}");
        assertTrue(text().contains("the client 'other' is the sum of all clients after the first 2."));
    }

    @Test
    void a_client_that_is_named_other_is_one_of_the_others() {
        monitor.byClient = List.of(
                UsageRecord.builder()
                        .client(ClientId.ofBundle("other", "test:other"))
                        .allocated(1, 1)
                        .build(),
                client("1").allocated(2, 2).build());
        assertValue("1", "dmaheap_client_allocations_total{client=\"other\"}");
        assertValue("2", "dmaheap_client_allocations_total{client=\"uid:1\"}");
        monitor.byClient = List.of();
        assertValue("1", "dmaheap_client_allocations_total{client=\"other\"}");
    }

    @Test
    void failures_of_one_of_the_others_stay_when_it_is_gone_without_an_allocation() {
        monitor.byClient = List.of(
                client("1").build(),
                client("2").build(),
                client("3").failures(Map.of(Errno.EACCES, 4L)).build());
        assertValue("4", "dmaheap_client_failures_total{client=\"other\",cause=\"EACCES\"}");
        monitor.byClient = List.of();
        assertValue("4", "dmaheap_client_failures_total{client=\"other\",cause=\"EACCES\"}");
    }

    @Test
    void names_of_vendors_are_escaped() {
        monitor.byHeap = List.of(UsageRecord.builder().heap("a\"b\\c\nd").build());
        assertValue("0", "dmaheap_heap_live_bytes{heap=\"a\\\"b\\\\c\\\\u000ad\"}");
    }

    @Test
    void names_that_differ_only_in_an_unprintable_character_are_distinct() {
        monitor.byClient = List.of(
                client("\ud800").live(1, 1).build(), client("\u202e").live(1, 2).build());
        assertValue("1", "dmaheap_client_live_bytes{client=\"uid:\\\\ud800\"}");
        assertValue("2", "dmaheap_client_live_bytes{client=\"uid:\\\\u202e\"}");
    }

    @Test
    void the_text_of_openmetrics_ends_with_its_mark_and_has_units() {
        monitor.stall = Optional.of(Duration.ofMillis(1500));
        assertTrue(text().endsWith("\n# EOF\n"));
        assertTrue(text().contains("# TYPE dmaheap_memory_stall_seconds counter\n# UNIT dmaheap_memory_stall_seconds"
                + " seconds\ndmaheap_memory_stall_seconds_total 1.5\n"));
    }

    @Test
    void the_older_format_has_neither_and_describes_a_counter_by_its_whole_name() {
        monitor.stall = Optional.of(Duration.ofMillis(1500));
        String older = figures.text(Format.PROMETHEUS);
        assertFalse(older.contains("# EOF") || older.contains("# UNIT"), older);
        assertTrue(older.endsWith(
                "# TYPE dmaheap_memory_stall_seconds_total counter\ndmaheap_memory_stall_seconds_total 1.5\n"));
    }
}
