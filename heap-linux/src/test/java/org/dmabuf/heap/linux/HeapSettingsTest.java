// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class HeapSettingsTest {
    private static final String PID = "org.example.acme";

    private final HeapSettings settings = HeapSettings.of(PID, Map.of("service.pid", PID), "frames", "acme");

    private static void refused(String sentence, Executable reading) {
        HeapException refusal = assertThrows(HeapException.class, reading);
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals("frames", refusal.heap());
        assertEquals(sentence, refusal.getMessage());
        assertEquals(sentence.replace("heap 'frames': ", ""), refusal.reason());
    }

    @Test
    void a_heap_has_the_name_that_is_configured_or_that_of_its_configuration() {
        Map<String, String> one = Map.of("service.pid", PID + "~camera");
        assertEquals("camera", HeapSettings.of(PID, one, "", "acme").heap());
        assertEquals("frames", HeapSettings.of(PID, one, "frames", "acme").heap());
        assertEquals("size in org.example.acme~camera", HeapSettings.of(PID, one, "", "acme").place("size"));
        assertEquals("acme", HeapSettings.of(PID, Map.of(), "", "acme").heap());
        assertEquals("acme", HeapSettings.of(PID, Map.of("service.pid", PID), "", "acme").heap());
        assertEquals("size in org.example.acme", HeapSettings.of(PID, Map.of(), "", "acme").place("size"));
    }

    @Test
    void sizes_and_words_are_read_and_what_is_none_is_told_with_what_is_right() {
        assertEquals(64 << 10, settings.bytes("size", "64K"));
        refused(
                "heap 'frames': size = many in org.example.acme is none; set it to bytes, or a number with K, M, G or"
                        + " T: 256M",
                () -> settings.bytes("size", "many"));
        assertEquals(
                RegionLayout.Exports.UDMABUF, settings.oneOf("exports", "udmabuf", RegionLayout.Exports.class));
        refused(
                "heap 'frames': exports = dmabuf in org.example.acme is none; set it to auto or udmabuf or memfd",
                () -> settings.oneOf("exports", "dmabuf", RegionLayout.Exports.class));
        refused(
                "heap 'frames': size is not set in org.example.acme; set it to the size of the region",
                () -> {
                    throw settings.absent("size", "the size of the region");
                });
    }

    @Test
    void a_list_has_blanks_between_its_entries_or_is_a_list() {
        assertEquals(List.of("linux,cma", "reserved", "a"), HeapSettings.words(" linux,cma\treserved", "", "a"));
        assertEquals(List.of(), HeapSettings.words());
    }

    @interface Config {
        String page_size() default "";

        int heap_id() default -1;
    }

    @Test
    void what_every_heap_is_configured_with_is_announced() {
        assertEquals(
                Map.of("heap.name", "frames", "heap.type", "acme", "heap.priority", 7, "heap.id", 3),
                settings.announcement("acme", () -> 3, () -> 7));
        assertEquals(
                Map.of("heap.name", "frames", "heap.type", "acme", "heap.priority", 0),
                settings.announcement("acme", () -> -1, () -> 0));
    }

    @Test
    void a_number_that_is_none_is_told_with_what_is_there() {
        HeapSettings wrong = HeapSettings.of(PID, Map.of("heap.id", "x"), "frames", "");
        refused(
                "heap 'frames': heap.id = x in org.example.acme is none; set it to a whole number",
                () -> wrong.announcement("acme", () -> Integer.parseInt("x"), () -> 0));
        refused(
                "heap 'frames': heap.priority = null in org.example.acme is none; set it to a whole number",
                () -> wrong.announcement("acme", () -> 0, () -> Integer.parseInt("")));
    }

    @Test
    void what_is_no_setting_is_told_and_what_the_framework_adds_is_not() {
        HeapSettings slip = HeapSettings.of(
                PID,
                Map.of(
                        "page.sise", "2M",
                        "page.size", "2M",
                        "heap.id", 1,
                        "service.pid", PID + "~camera",
                        "component.name", "Acme",
                        "felix.fileinstall.filename", "file:/etc/x.cfg",
                        ".private", 1),
                "",
                "acme");
        assertEquals(
                List.of("configuration org.example.acme~camera: 'page.sise' is no setting, and nobody reads it; there"
                        + " are: heap.id, page.size"),
                slip.unread(Config.class));
        assertEquals(List.of(), settings.unread(Config.class));
    }
}
