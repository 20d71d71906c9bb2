// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class HeapSettingsTest {
    private static final String PID = "org.example.acme";

    private final HeapSettings settings = of(Map.of("service.pid", PID), "frames");

    private static HeapSettings of(Map<String, ?> properties, String name) {
        return HeapSettings.of(PID, "acme", properties, name, () -> 3, () -> 7);
    }

    private static void refused(String sentence, Executable reading) {
        HeapException refusal = assertThrows(HeapException.class, reading);
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(Optional.of("frames"), refusal.heap());
        assertEquals(sentence, refusal.getMessage());
        assertEquals(sentence.replace("heap 'frames': ", ""), refusal.reason());
    }

    @Test
    void a_heap_has_its_configured_name_or_that_of_its_configuration() {
        Map<String, String> one = Map.of("service.pid", PID + "~camera");
        assertEquals("camera", of(one, "").heap());
        assertEquals("frames", of(one, "frames").heap());
        assertEquals("size in org.example.acme~camera", of(one, "").place("size"));
        assertEquals("acme", of(Map.of(), "").heap());
        assertEquals("acme", of(Map.of("service.pid", PID), "").heap());
        assertEquals("size in org.example.acme", of(Map.of(), "").place("size"));
    }

    @Test
    void sizes_and_words_are_read_and_invalid_ones_are_reported_with_the_expected_values() {
        assertEquals(64 << 10, settings.bytes("size", "64K"));
        refused(
                "heap 'frames': invalid size = many in org.example.acme: expected bytes, or a number with K, M, G or T:"
                        + " 256M",
                () -> settings.bytes("size", "many"));
        assertEquals(RegionLayout.Exports.UDMABUF, settings.oneOf("exports", "udmabuf", RegionLayout.Exports.class));
        refused(
                "heap 'frames': invalid exports = dmabuf in org.example.acme: expected auto or udmabuf or memfd",
                () -> settings.oneOf("exports", "dmabuf", RegionLayout.Exports.class));
        refused("heap 'frames': missing size in org.example.acme: expected the size of the region", () -> {
            throw settings.absent("size", "the size of the region");
        });
    }

    @Test
    void numbers_and_flags_are_read_from_the_configuration_itself() {
        HeapSettings typed = of(Map.of("a", 7L, "b", " 8 ", "c", true, "d", "TRUE", "e", "yes", "f", 1.5), "frames");
        assertEquals(7, typed.number("a", () -> 0));
        assertEquals(8, typed.number("b", () -> 0, 0, 10));
        assertEquals(3, typed.number("none", () -> 3));
        assertTrue(typed.flag("c", () -> false));
        assertTrue(typed.flag("d", () -> false));
        assertTrue(typed.flag("none", () -> true));
        refused(
                "heap 'frames': invalid e = yes in org.example.acme: expected true or false",
                () -> typed.flag("e", () -> false));
        refused(
                "heap 'frames': invalid f = 1.5 in org.example.acme: expected a whole number",
                () -> typed.number("f", () -> 0));
        refused(
                "heap 'frames': invalid a = 7 in org.example.acme: expected a whole number from 0 to 6",
                () -> typed.number("a", () -> 0, 0, 6));
    }

    @Test
    void a_component_that_is_not_a_heap_has_the_same_messages_without_a_heap() {
        Settings broker = Settings.of("org.example.broker", Map.of("drain.ms", "-5"));
        HeapException refusal = assertThrows(HeapException.class, () -> broker.number("drain.ms", () -> 0, 0, 4000));
        assertEquals(Optional.empty(), refusal.heap());
        assertEquals(
                "invalid drain.ms = -5 in org.example.broker: expected a whole number from 0 to 4000",
                refusal.getMessage());
    }

    @Test
    void a_node_name_must_not_be_a_path() {
        assertEquals(List.of("linux,cma", "reserved"), settings.nodes("nodes", "linux,cma reserved"));
        refused(
                "heap 'frames': invalid nodes = ../null in org.example.acme: expected names below /dev/dma_heap/,"
                        + " without '/' and '..'",
                () -> settings.nodes("nodes", "cma ../null"));
    }

    @Test
    void entries_are_separated_by_blanks_or_are_a_list() {
        assertEquals(List.of("linux,cma", "reserved", "a"), HeapSettings.words(" linux,cma\treserved", "", "a"));
        assertEquals(List.of(), HeapSettings.words());
    }

    @interface Config {
        String page_size() default "";

        int heap_id() default -1;
    }

    @Test
    void the_common_settings_of_heaps_are_announced() {
        assertEquals(
                Map.of("heap.name", "frames", "heap.type", "acme", "heap.priority", 7, "heap.id", 3),
                settings.announcement());
        assertEquals(
                Map.of("heap.name", "frames", "heap.type", "acme", "heap.priority", 0),
                HeapSettings.of(PID, "acme", Map.of(), "frames", () -> -1, () -> 0)
                        .announcement());
    }

    @Test
    void an_invalid_number_is_reported_with_its_text() {
        Map<String, String> wrong = Map.of("heap.id", "x");
        refused(
                "heap 'frames': invalid heap.id = x in org.example.acme: expected a whole number from 0 to 63, or -1"
                        + " for none",
                () -> HeapSettings.of(PID, "acme", wrong, "frames", () -> Integer.parseInt("x"), () -> 0)
                        .announcement());
        refused(
                "heap 'frames': invalid heap.priority = null in org.example.acme: expected a whole number",
                () -> HeapSettings.of(PID, "acme", wrong, "frames", () -> 0, () -> Integer.parseInt(""))
                        .announcement());
    }

    @Test
    void unknown_settings_are_reported_and_properties_of_the_framework_are_not() {
        HeapSettings slip = of(
                Map.of(
                        "page.sise", "2M",
                        "page.size", "2M",
                        "heap.id", 1,
                        "service.pid", PID + "~camera",
                        "component.name", "Acme",
                        "felix.fileinstall.filename", "file:/etc/x.cfg",
                        ".private", 1),
                "");
        assertEquals(
                List.of("unknown setting page.sise in etc/x.cfg: expected one of heap.id, page.size"),
                slip.unread(Config.class));
        assertEquals(List.of(), settings.unread(Config.class));
    }

    @Test
    void a_name_that_was_not_utf_8_is_refused() {
        HeapException refusal = assertThrows(
                HeapException.class, () -> of(Map.of(), "carveout\uFFFD").announcement());
        assertTrue(refusal.reason().startsWith("invalid heap.name = "), refusal.reason());
    }

    @Test
    void some_of_many_unknown_settings_are_reported_and_the_others_counted() {
        Map<String, Object> many = new HashMap<>();
        for (int i = 0; i < 100_000; i++) {
            many.put("key" + i, "1");
        }
        List<String> messages = of(many, "").unread(Config.class);
        assertEquals(21, messages.size());
        assertEquals(
                "99980 more unknown settings in " + PID + ": expected one of heap.id, page.size", messages.getLast());
    }

    private static Map<String, Object> declared(Map<String, ?> properties) {
        return HeapSettings.declared(PID, properties).announcement();
    }

    @Test
    void declared_properties_are_announced_with_their_types() {
        assertEquals(
                Map.of(
                        "heap.name",
                        "frames",
                        "heap.type",
                        "camera",
                        "heap.id",
                        5,
                        "heap.priority",
                        -3,
                        "heap.cached",
                        false,
                        "heap.alignment",
                        65536L,
                        "heap.vendor.bank",
                        "2"),
                declared(Map.of(
                        "heap.name", "frames",
                        "heap.type", "camera",
                        "heap.id", 5,
                        "heap.priority", -3,
                        "heap.cached", false,
                        "heap.alignment", 65536L,
                        "heap.vendor.bank", "2",
                        "component.name", "x",
                        "node", "frames")));
    }

    @Test
    void texts_of_a_configuration_file_are_announced_with_their_declared_types() {
        Map<String, Object> announced = declared(Map.of(
                "heap.name", "frames",
                "heap.id", "5",
                "heap.quota", "64K",
                "heap.cached", "false"));
        assertEquals(5, announced.get("heap.id"));
        assertEquals(65536L, announced.get("heap.quota"));
        assertEquals(false, announced.get("heap.cached"));
    }

    @Test
    void every_heap_announces_the_configured_place_of_its_memory() {
        HeapSettings placed = of(
                Map.of(
                        "heap.address.min", " 0x3000_0000 ".replace("_", ""),
                        "heap.address.max", "1G",
                        "heap.dma.bits", "32",
                        "heap.cached", "false"),
                "frames");
        Map<String, Object> announced = placed.announcement();
        assertEquals(0x3000_0000L, announced.get("heap.address.min"));
        assertEquals(1L << 30, announced.get("heap.address.max"));
        assertEquals(32, announced.get("heap.dma.bits"));
        assertEquals(false, announced.containsKey("heap.cached"));
        assertEquals(1, placed.unread(Config.class).size(), placed.unread(Config.class)::toString);
        assertEquals(
                0xFFFF_FFFFL, declared(Map.of("heap.address.max", "0xFFFFFFFF")).get("heap.address.max"));
        refused(
                "heap 'frames': invalid heap.address.max = 0xg in org.example.acme: expected a physical address:"
                        + " 0x3fffffff or 1G",
                () -> of(Map.of("heap.address.max", "0xg"), "frames").announcement());
    }

    @Test
    void a_heap_can_have_several_memory_nodes() {
        assertEquals(List.of(0), declared(Map.of("heap.numa", "0")).get("heap.numa"));
        assertEquals(List.of(0, 1, 12), declared(Map.of("heap.numa", "0, 1 12")).get("heap.numa"));
        int[] nodes = {0, 1};
        assertEquals(nodes, declared(Map.of("heap.numa", nodes)).get("heap.numa"));
        refused(
                "heap 'frames': invalid heap.numa = 0-1 in org.example.acme: expected numbers of memory nodes: 0,1",
                () -> declared(Map.of("heap.name", "frames", "heap.numa", "0-1")));
    }

    @Test
    void a_text_that_does_not_have_the_declared_type_is_refused_with_the_setting() {
        refused(
                "heap 'frames': invalid heap.id = five in org.example.acme: expected a whole number from 0 to 63, or -1"
                        + " for none",
                () -> declared(Map.of("heap.name", "frames", "heap.id", "five")));
        refused(
                "heap 'frames': invalid heap.cached = no in org.example.acme: expected true or false",
                () -> declared(Map.of("heap.name", "frames", "heap.cached", "no")));
    }

    @Test
    void without_a_name_a_declared_heap_has_that_of_its_configuration_and_no_id() {
        Map<String, Object> announced = declared(Map.of("service.pid", PID + "~left"));
        assertEquals("left", announced.get("heap.name"));
        assertEquals("vendor", announced.get("heap.type"));
        assertEquals(false, announced.containsKey("heap.id"));
    }
}
