// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Tests of names with control characters, which a peer or bundle may choose. They must not affect a terminal. */
class PrintedTextTest {
    private static final String NAME = "a\u001b[2J\nz\u202e";
    private static final String PRINTED = "a\\u001b[2J\\u000az\\u202e";

    @Test
    void a_cell_of_a_table_is_one_cell() {
        assertEquals("NAME\n" + PRINTED, new Table("NAME").row(NAME).toString());
    }

    @Test
    void a_buffer_is_shown_in_characters_that_print() {
        BufferInfo buffer = new BufferInfo(NAME, 4096, 4096, NAME, NAME, true, OptionalLong.empty());
        for (String text : List.of(buffer.addTo(new Facts()).toString(), BufferInfo.table(List.of(buffer)))) {
            assertTrue(text.contains(PRINTED), text);
            assertFalse(text.contains("\u001b") || text.contains("\nz") || text.contains("\u202e"), text);
        }
    }

    @Test
    void a_refusal_that_quotes_a_name_is_one_line() {
        assertEquals(
                "no buffer '" + PRINTED + "'",
                new CommandFailure(new IllegalArgumentException("no buffer '" + NAME + "'")).toString());
    }
}
