// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class UsageRecordTest {
    private static final ClientId CAMERA = ClientId.ofBundle("org.example.camera", "file:camera");

    private static UsageRecord full() {
        return UsageRecord.builder()
                .heap("camera")
                .client(CAMERA)
                .live(1, 2)
                .lingering(3, 4)
                .peak(5)
                .limit(OptionalLong.of(6))
                .allocated(7, 8)
                .failures(Map.of(Errno.EACCES, 9L, Errno.ENOMEM, 10L, Errno.EPERM, 11L))
                .waits(12, Duration.ofNanos(13), Duration.ofNanos(14))
                .leaked(15)
                .build();
    }

    private static Map<String, Object> ordered(Object... keysAndValues) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            map.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return map;
    }

    private static void assertMap(Map<String, Object> expected, Map<String, Object> found) {
        assertEquals(expected, found);
        assertEquals(List.copyOf(expected.keySet()), List.copyOf(found.keySet()));
    }

    @Test
    void each_figure_is_returned_as_it_was_set() {
        UsageRecord record = full();
        assertEquals(Optional.of("camera"), record.heap());
        assertEquals(Optional.of(CAMERA), record.client());
        assertEquals(1, record.liveBuffers());
        assertEquals(2, record.liveBytes());
        assertEquals(3, record.lingeringBuffers());
        assertEquals(4, record.lingeringBytes());
        assertEquals(5, record.peakBytes());
        assertEquals(OptionalLong.of(6), record.limit());
        assertEquals(7, record.allocations());
        assertEquals(8, record.allocatedBytes());
        assertEquals(Map.of(Errno.EPERM, 11L, Errno.ENOMEM, 10L, Errno.EACCES, 9L), record.failures());
        assertEquals(12, record.waits());
        assertEquals(Duration.ofNanos(13), record.waited());
        assertEquals(Duration.ofNanos(14), record.longestWait());
    }

    @Test
    void a_record_without_figures_has_only_zeros() {
        UsageRecord record = UsageRecord.builder().build();
        assertEquals(Optional.empty(), record.heap());
        assertEquals(Optional.empty(), record.client());
        assertEquals(OptionalLong.empty(), record.limit());
        assertEquals(Map.of(), record.failures());
        assertMap(
                ordered(
                        "liveBuffers", 0L,
                        "liveBytes", 0L,
                        "lingeringBuffers", 0L,
                        "lingeringBytes", 0L,
                        "peakBytes", 0L,
                        "allocations", 0L,
                        "allocatedBytes", 0L,
                        "failures", Map.of(),
                        "waits", 0L,
                        "waited", 0L,
                        "longestWait", 0L,
                        "leakedBuffers", 0L),
                record.toMap());
    }

    @Test
    void its_map_lists_every_figure_under_the_name_of_its_method_in_order() {
        assertMap(
                ordered(
                        "heap", "camera",
                        "client", "org.example.camera",
                        "liveBuffers", 1L,
                        "liveBytes", 2L,
                        "lingeringBuffers", 3L,
                        "lingeringBytes", 4L,
                        "peakBytes", 5L,
                        "limit", 6L,
                        "allocations", 7L,
                        "allocatedBytes", 8L,
                        "failures", Map.of("EPERM", 11L, "ENOMEM", 10L, "EACCES", 9L),
                        "waits", 12L,
                        "waited", 13L,
                        "longestWait", 14L,
                        "leakedBuffers", 15L),
                full().toMap());
    }

    @Test
    void failures_are_ordered_by_error_number() {
        List<Errno> order = List.of(Errno.EPERM, Errno.ENOMEM, Errno.EACCES);
        assertEquals(order, new ArrayList<>(full().failures().keySet()));
        Map<?, ?> map = (Map<?, ?>) full().toMap().get("failures");
        assertEquals(order.toString(), map.keySet().toString());
    }

    @Test
    void a_later_change_of_a_map_does_not_change_the_record() {
        Map<Errno, Long> failures = new EnumMap<>(Map.of(Errno.ENOMEM, 1L));
        UsageRecord record = UsageRecord.builder().failures(failures).build();
        failures.put(Errno.ENOMEM, 2L);
        assertEquals(Map.of(Errno.ENOMEM, 1L), record.failures());
        assertThrows(
                UnsupportedOperationException.class, () -> record.failures().put(Errno.EIO, 1L));
        record.toMap().clear();
        assertEquals(1, record.failures().size());
    }

    @Test
    void further_use_of_a_builder_does_not_change_records_already_built() {
        UsageRecord.Builder builder = UsageRecord.builder().live(1, 2);
        UsageRecord before = builder.build();
        assertEquals(3, builder.live(3, 4).build().liveBuffers());
        assertEquals(1, before.liveBuffers());
    }

    @Test
    void nulls_are_refused() {
        UsageRecord.Builder builder = UsageRecord.builder();
        Map<Errno, Long> none = new HashMap<>();
        none.put(Errno.EIO, null);
        assertThrows(NullPointerException.class, () -> builder.heap(null));
        assertThrows(NullPointerException.class, () -> builder.client(null));
        assertThrows(NullPointerException.class, () -> builder.limit(null));
        assertThrows(NullPointerException.class, () -> builder.failures(none));
        assertThrows(NullPointerException.class, () -> builder.waits(1, null, Duration.ZERO));
        assertThrows(NullPointerException.class, () -> builder.waits(1, Duration.ZERO, null));
    }

    @Test
    void its_text_is_its_map() {
        assertEquals(full().toMap().toString(), full().toString());
    }
}
