// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class AllocationRequestTest {
    private static final AllocationRequest PLAIN = AllocationRequest.of(4096);
    /** The largest size that can be rounded up to pages of 64 KiB. */
    private static final long LARGEST = Long.MAX_VALUE - 65_535;

    private static void assertInvalid(String sentence, Executable call) {
        assertEquals(
                sentence, assertThrows(IllegalArgumentException.class, call).getMessage());
    }

    private static void assertNull(String sentence, Executable call) {
        assertEquals(sentence, assertThrows(NullPointerException.class, call).getMessage());
    }

    @Test
    void a_request_with_only_a_size_leaves_the_rest_to_the_broker() {
        assertEquals(4096, PLAIN.size());
        assertEquals(List.of(), PLAIN.heaps());
        assertEquals(OptionalLong.empty(), PLAIN.mask());
        assertEquals(Optional.empty(), PLAIN.requirement());
        assertEquals(Set.of(), PLAIN.emulations());
        assertEquals(1, PLAIN.alignment());
        assertEquals(ExportMode.READ_WRITE, PLAIN.export());
        assertEquals(Optional.empty(), PLAIN.name());
        assertEquals(Duration.ZERO, PLAIN.timeout());
    }

    private static AllocationRequest full() {
        return PLAIN.withHeaps("camera", "system")
                .withRequirement("(heap.dmabuf=true)")
                .withEmulations("contiguous", "protected")
                .withAlignment(2 << 20)
                .withExport(ExportMode.READ_ONLY)
                .withName("frame 7")
                .withTimeout(Duration.ofMillis(40));
    }

    @Test
    void each_value_is_returned_as_it_was_set() {
        AllocationRequest request = full();
        assertEquals(4096, request.size());
        assertEquals(List.of("camera", "system"), request.heaps());
        assertEquals(OptionalLong.empty(), request.mask());
        assertEquals(Optional.of("(heap.dmabuf=true)"), request.requirement());
        assertEquals(Set.of("contiguous", "protected"), request.emulations());
        assertEquals(2 << 20, request.alignment());
        assertEquals(ExportMode.READ_ONLY, request.export());
        assertEquals(Optional.of("frame 7"), request.name());
        assertEquals(Duration.ofMillis(40), request.timeout());
    }

    @Test
    void a_request_does_not_change_when_others_are_derived_from_it() {
        AllocationRequest before = full();
        String text = before.toString();
        before.withHeaps("other");
        before.withMask(1);
        before.withRequirement("(heap.contiguous=true)");
        before.withEmulations();
        before.withAlignment(4);
        before.withExport(ExportMode.NONE);
        before.withName("other");
        before.withTimeout(Duration.ZERO);
        assertEquals(text, before.toString());
        each_value_is_returned_as_it_was_set();
        assertEquals(List.of("camera", "system"), before.heaps());
        assertEquals(Duration.ofMillis(40), before.timeout());
    }

    @Test
    void names_and_a_mask_replace_each_other_and_without_names_every_heap_is_asked() {
        AllocationRequest byMask = full().withMask(1L << 63);
        assertEquals(List.of(), byMask.heaps());
        assertEquals(OptionalLong.of(Long.MIN_VALUE), byMask.mask());
        AllocationRequest byName = byMask.withHeaps("camera");
        assertEquals(List.of("camera"), byName.heaps());
        assertEquals(OptionalLong.empty(), byName.mask());
        assertEquals(List.of(), byName.withHeaps().heaps());
        assertEquals(Set.of(), full().withEmulations().emulations());
    }

    @Test
    void a_later_change_of_an_array_does_not_change_the_request() {
        String[] heaps = {"camera", "system"};
        AllocationRequest request = PLAIN.withHeaps(heaps);
        heaps[0] = "other";
        assertEquals(List.of("camera", "system"), request.heaps());
    }

    @Test
    void the_collections_of_a_request_are_unmodifiable() {
        assertThrows(UnsupportedOperationException.class, () -> full().heaps().add("other"));
        assertThrows(
                UnsupportedOperationException.class, () -> full().emulations().add("other"));
    }

    @Test
    void sizes_up_to_the_largest_that_can_be_rounded_up_to_pages_are_accepted() {
        assertEquals(1, AllocationRequest.of(1).size());
        assertEquals(LARGEST, AllocationRequest.of(LARGEST).size());
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE, LARGEST + 1, Long.MAX_VALUE})
    void an_invalid_size_is_refused(long size) {
        assertInvalid(
                "invalid size = " + size + ": expected 1 to " + LARGEST + " bytes", () -> AllocationRequest.of(size));
    }

    @Test
    void every_power_of_two_is_an_alignment() {
        for (int bit = 0; bit < 63; bit++) {
            assertEquals(1L << bit, PLAIN.withAlignment(1L << bit).alignment());
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, -8, 3, 12, 4097, Long.MIN_VALUE, Long.MAX_VALUE})
    void an_alignment_that_is_not_a_power_of_two_is_refused(long alignment) {
        assertInvalid(
                "invalid alignment = " + alignment + ": expected a power of two in bytes",
                () -> PLAIN.withAlignment(alignment));
    }

    @Test
    void a_mask_without_a_bit_is_refused() {
        assertInvalid("invalid mask = 0: expected the bit 1L << heap.id of each heap to ask", () -> PLAIN.withMask(0));
    }

    @Test
    void heaps_that_are_null_blank_or_given_twice_are_refused() {
        assertNull("invalid heaps = null: expected an array", () -> PLAIN.withHeaps((String[]) null));
        assertNull("invalid heap = null: expected a text", () -> PLAIN.withHeaps("camera", null));
        assertInvalid("invalid heap = '': expected a text", () -> PLAIN.withHeaps(""));
        assertInvalid("invalid heap = ' ?': expected a text", () -> PLAIN.withHeaps("camera", " \t"));
        assertInvalid(
                "invalid heap = 'camera': expected each once", () -> PLAIN.withHeaps("camera", "system", "camera"));
    }

    @Test
    void emulations_that_are_null_blank_or_given_twice_are_refused() {
        assertNull("invalid emulations = null: expected an array", () -> PLAIN.withEmulations((String[]) null));
        assertNull("invalid emulation = null: expected a text", () -> PLAIN.withEmulations((String) null));
        assertInvalid("invalid emulation = ' ': expected a text", () -> PLAIN.withEmulations(" "));
        assertInvalid(
                "invalid emulation = 'contiguous': expected each once",
                () -> PLAIN.withEmulations("contiguous", "contiguous"));
    }

    @Test
    void a_requirement_that_is_null_or_not_a_filter_is_refused() {
        assertNull("invalid requirement = null: expected an OSGi filter", () -> PLAIN.withRequirement(null));
        IllegalArgumentException refusal =
                assertThrows(IllegalArgumentException.class, () -> PLAIN.withRequirement("heap.dmabuf\n=true"));
        assertEquals(
                "invalid requirement = 'heap.dmabuf?=true': expected an OSGi filter such as (heap.contiguous=true)",
                refusal.getMessage());
        assertNotNull(refusal.getCause(), "the parser's own sentence");
    }

    @Test
    void an_invalid_value_is_shown_in_one_short_line() {
        assertInvalid(
                "invalid requirement = '" + "x".repeat(80) + "\u2026': expected an OSGi filter such as"
                        + " (heap.contiguous=true)",
                () -> PLAIN.withRequirement("x".repeat(10_000)));
    }

    @Test
    void an_export_that_is_null_is_refused() {
        assertNull("invalid export = null: expected an ExportMode", () -> PLAIN.withExport(null));
    }

    private static List<String> namesThatAreTaken() {
        return List.of("f", "x".repeat(31), "\u00e9".repeat(15) + "e", "\u20ac".repeat(10) + "e", "frame 7");
    }

    @ParameterizedTest
    @MethodSource("namesThatAreTaken")
    void a_name_of_up_to_31_bytes_is_accepted(String name) {
        assertEquals(Optional.of(name), PLAIN.withName(name).name());
    }

    @Test
    void a_name_that_is_null_empty_too_long_or_has_control_characters_is_refused() {
        assertNull("invalid name = null: expected a text", () -> PLAIN.withName(null));
        Map<String, String> shown = Map.of(
                "",
                "",
                "x".repeat(32),
                "x".repeat(32),
                "\u00e9".repeat(16),
                "\u00e9".repeat(16),
                "\u20ac".repeat(11),
                "\u20ac".repeat(11),
                "a\nb",
                "a?b",
                "\u0000",
                "?",
                "\u007f",
                "?",
                "\u009b",
                "?");
        shown.forEach((name, shownName) -> assertInvalid(
                "invalid name = '" + shownName + "': expected 1 to 31 bytes of UTF-8 without control characters",
                () -> PLAIN.withName(name)));
    }

    @Test
    void a_timeout_is_zero_to_a_year() {
        assertEquals(
                Duration.ofDays(365), PLAIN.withTimeout(Duration.ofDays(365)).timeout());
        assertNull("invalid timeout = null: expected a duration", () -> PLAIN.withTimeout(null));
        assertInvalid(
                "invalid timeout = PT-0.000000001S: expected zero to 365 days",
                () -> PLAIN.withTimeout(Duration.ofNanos(-1)));
        assertInvalid(
                "invalid timeout = PT8760H0.000000001S: expected zero to 365 days",
                () -> PLAIN.withTimeout(Duration.ofDays(365).plusNanos(1)));
    }

    @Test
    void its_text_lists_size_name_heaps_and_requirement() {
        assertEquals("request of 4096 bytes", PLAIN.toString());
        assertEquals("request of 4096 bytes 'frame 7' from camera, system with (heap.dmabuf=true)", full().toString());
        assertEquals(
                "request of 4096 bytes from mask 0x8000000000000001",
                PLAIN.withMask(1L << 63 | 1).toString());
    }
}
