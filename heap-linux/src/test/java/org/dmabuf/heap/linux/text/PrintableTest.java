// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;

class PrintableTest {
    @Test
    void text_that_prints_stays_the_same_object() {
        for (String text : new String[] {"", "frame 7", "a\\b 'c' \"d\"", "Gr\u00fc\u00dfe \u20ac", "\ud83d\udcf7"}) {
            assertSame(text, Printable.of(text));
        }
    }

    @Test
    void characters_that_move_the_cursor_or_end_the_line_are_escaped() {
        assertEquals("a\\u000ab\\u000dc\\u0009d", Printable.of("a\nb\rc\td"));
        assertEquals("\\u001b[31mred\\u0007\\u0000", Printable.of("\u001b[31mred\u0007\0"));
        assertEquals("\\u007f\\u0085\\u009b31m", Printable.of("\u007f\u0085\u009b31m"));
        assertEquals("a\\u2028b\\u2029c", Printable.of("a\u2028b\u2029c"));
    }

    @Test
    void characters_that_hide_or_reorder_other_text_are_escaped() {
        assertEquals("\\u202egnp.exe\\u202c", Printable.of("\u202egnp.exe\u202c"));
        assertEquals(
                "\\u2066\\u2069\\u200e\\u200f\\u061c\\u200b\\ufeff\\u00ad",
                Printable.of("\u2066\u2069\u200e\u200f\u061c\u200b\ufeff\u00ad"));
        assertEquals("tag \\udb40\\udc41", Printable.of("tag \udb40\udc41"), "U+E0041, outside of the first plane");
    }

    @Test
    void an_unpaired_surrogate_is_escaped() {
        assertEquals("\\ud800x\\udc00", Printable.of("\ud800x\udc00"));
    }

    @Test
    void escaping_twice_changes_nothing() {
        String once = Printable.of("a\nb\\u000ac");
        assertEquals(once, Printable.of(once));
    }

    @Test
    void null_is_shown_as_the_word_null() {
        assertEquals("null", Printable.of(null));
    }
}
