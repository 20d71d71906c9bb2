// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckedRequestTest {
    private static final AllocationRequest GOOD = AllocationRequest.of(4096);

    private static String refusal(AllocationRequest request) {
        HeapException refusal = assertThrows(HeapException.class, () -> new CheckedRequest(request));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals("", refusal.heap());
        return refusal.getMessage();
    }

    @Test
    void a_heap_sees_what_was_asked_for() {
        CheckedRequest checked = new CheckedRequest(AllocationRequest.of(7)
                .withAlignment(64)
                .heapFlags(0x111111)
                .withExport(ExportMode.NONE)
                .withExport(ExportMode.READ_ONLY)
                .withName("frame"));
        assertEquals(7, checked.size());
        assertEquals(64, checked.alignment());
        assertEquals(0x111111, checked.heapFlags());
        assertEquals(false, checked.exportable());
        assertEquals(Access.READ, checked.exports());
        assertEquals("frame", checked.name());
    }

    @Test
    void a_size_may_be_anything_that_can_be_rounded_to_pages() {
        assertDoesNotThrow(() -> new CheckedRequest(AllocationRequest.of(1)));
        assertDoesNotThrow(() -> new CheckedRequest(AllocationRequest.of(Long.MAX_VALUE - Bytes.PAGE)));
    }

    @Test
    void a_size_of_nothing_or_beyond_the_last_page_is_none() {
        for (long size : new long[] {0, -1, Long.MIN_VALUE, Long.MAX_VALUE - Bytes.PAGE + 1, Long.MAX_VALUE}) {
            assertEquals(
                    "a buffer of " + size + " bytes cannot be; ask for 1 to " + (Long.MAX_VALUE - Bytes.PAGE),
                    refusal(AllocationRequest.of(size)));
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 4096, 1L << 62})
    void an_alignment_is_a_power_of_two(long alignment) {
        assertEquals(alignment, new CheckedRequest(GOOD.withAlignment(alignment)).alignment());
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, 3, 4097, -4096, Long.MIN_VALUE, Long.MAX_VALUE})
    void any_other_alignment_is_refused(long alignment) {
        assertEquals("an alignment of " + alignment + " bytes is no power of two", refusal(GOOD.withAlignment(alignment)));
    }

    @Test
    void there_is_no_export_for_writing_only() {
        assertEquals(
                "there is no export for WRITE; ask for READ or READ_WRITE", refusal(GOOD.exports(Access.WRITE)));
    }

    @ParameterizedTest
    @EnumSource(
            value = Access.class,
            names = {"READ", "READ_WRITE"})
    void exports_are_for_reading_or_for_both(Access exports) {
        assertEquals(exports, new CheckedRequest(GOOD.exports(exports)).exports());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "a",
                "frame 7 of camera/front",
                "1234567890123456789012345678901", // 31 of one byte
                "éééééééééééééééx", // 15 of two, one of one
                "水水水水水水水水水水x", // 10 of three, one of one
                "\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7xyz" // 7 of four
            })
    void a_name_of_at_most_31_bytes_of_utf_8_is_one(String name) {
        assertEquals(name, new CheckedRequest(GOOD.name(name)).name());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "12345678901234567890123456789012",
                "éééééééééééééééxx",
                "éééééééééééééééé",
                "水水水水水水水水水水水",
                "\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7\ud83d\udcf7"
            })
    void a_name_of_32_bytes_is_none(String name) {
        assertEquals(
                "the name '" + name + "' is none: at most 31 bytes of UTF-8, without control characters",
                refusal(GOOD.name(name)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\0", "a\nb", "\t", "a\u007f", "a\u0085b", "\u009f"})
    void a_name_with_a_control_character_is_none_and_the_sentence_shows_none(String name) {
        String sentence = refusal(GOOD.name(name));
        assertTrue(sentence.codePoints().noneMatch(Character::isISOControl), sentence);
        assertTrue(sentence.contains("\\u00"), sentence);
    }
}
