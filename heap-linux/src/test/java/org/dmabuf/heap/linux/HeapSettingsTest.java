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

    private final HeapSettings settings = new HeapSettings("frames", PID);

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
}
