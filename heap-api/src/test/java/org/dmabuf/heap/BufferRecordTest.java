// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class BufferRecordTest {
    private static final ClientId CAMERA = ClientId.ofBundle("org.example.camera", "file:camera");
    private static final StackTraceElement CALL = new StackTraceElement("org.example.Camera", "take", "Camera.java", 7);

    private static BufferRecord full() {
        return BufferRecord.of("camera", CAMERA, 4096)
                .origin("process 7 of camera-app")
                .name(Optional.of("frame"))
                .inode(OptionalLong.of(42))
                .open(1, 2, 3)
                .exported(true)
                .lingering(true)
                .age(Duration.ofNanos(5))
                .site(List.of(CALL))
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
        BufferRecord record = full();
        assertEquals("camera", record.heap());
        assertEquals(CAMERA, record.client());
        assertEquals(4096, record.size());
        assertEquals(Optional.of("process 7 of camera-app"), record.origin());
        assertEquals(Optional.of("frame"), record.name());
        assertEquals(OptionalLong.of(42), record.inode());
        assertEquals(1, record.references());
        assertEquals(2, record.mappings());
        assertEquals(3, record.cpuAccesses());
        assertTrue(record.exported());
        assertTrue(record.lingering());
        assertEquals(Duration.ofNanos(5), record.age());
        assertEquals(List.of(CALL), record.site());
    }

    @Test
    void its_map_lists_every_figure_under_the_name_of_its_method_in_order() {
        assertMap(
                ordered(
                        "heap",
                        "camera",
                        "client",
                        "org.example.camera",
                        "origin",
                        "process 7 of camera-app",
                        "name",
                        "frame",
                        "size",
                        4096L,
                        "inode",
                        42L,
                        "references",
                        1L,
                        "mappings",
                        2L,
                        "cpuAccesses",
                        3L,
                        "exported",
                        true,
                        "lingering",
                        true,
                        "age",
                        5L,
                        "site",
                        List.of("org.example.Camera.take(Camera.java:7)")),
                full().toMap());
    }

    @Test
    void a_value_that_was_not_set_is_zero_or_has_no_key() {
        BufferRecord record =
                BufferRecord.of("camera", ClientId.of("uid", "1000"), 1).build();
        assertEquals(Optional.empty(), record.name());
        assertEquals(OptionalLong.empty(), record.inode());
        assertFalse(record.exported());
        assertFalse(record.lingering());
        assertEquals(List.of(), record.site());
        assertMap(
                ordered(
                        "heap", "camera",
                        "client", "uid:1000",
                        "size", 1L,
                        "references", 0L,
                        "mappings", 0L,
                        "cpuAccesses", 0L,
                        "exported", false,
                        "lingering", false,
                        "age", 0L),
                record.toMap());
    }

    @Test
    void a_later_change_of_a_list_does_not_change_the_record() {
        List<StackTraceElement> site = new ArrayList<>(List.of(CALL));
        BufferRecord record = BufferRecord.of("camera", CAMERA, 1).site(site).build();
        site.clear();
        assertEquals(List.of(CALL), record.site());
        assertThrows(UnsupportedOperationException.class, () -> record.site().clear());
    }

    @Test
    void nulls_are_refused() {
        assertThrows(NullPointerException.class, () -> BufferRecord.of(null, CAMERA, 1));
        assertThrows(NullPointerException.class, () -> BufferRecord.of("camera", null, 1));
        BufferRecord.Builder builder = BufferRecord.of("camera", CAMERA, 1);
        assertThrows(NullPointerException.class, () -> builder.name(null));
        assertThrows(NullPointerException.class, () -> builder.inode(null));
        assertThrows(NullPointerException.class, () -> builder.age(null));
        assertThrows(NullPointerException.class, () -> builder.site(null));
    }

    @Test
    void its_text_is_its_map() {
        assertEquals(full().toMap().toString(), full().toString());
    }
}
