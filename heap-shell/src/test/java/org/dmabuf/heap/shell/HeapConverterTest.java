// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.OptionalLong;
import org.apache.felix.service.command.Converter;
import org.junit.jupiter.api.Test;

class HeapConverterTest {
    private final HeapConverter converter = new HeapConverter();

    private static final BufferInfo BUFFER =
            new BufferInfo("frame", 12_582_912, "system", "memfd", false, OptionalLong.of(77));

    @Test
    void what_does_not_print_is_escaped_wherever_it_comes_from() {
        BufferInfo buffer = new BufferInfo("a\u001b[2Jb\u202e", 1, "system\n", "memfd", false, OptionalLong.empty());
        String table = text(List.of(buffer), Converter.INSPECT);
        assertTrue(table.contains("a\\u001b[2Jb\\u202e") && table.contains("system\\u000a"), table);
        String text = text(buffer, Converter.INSPECT);
        assertTrue(text.contains("a\\u001b[2Jb\\u202e") && text.contains("system\\u000a"), text);
    }

    @Test
    void buffers_are_a_table_and_one_is_told_in_full() {
        assertEquals(
                """
                NAME     SIZE  HEAP    BACKEND  DMA-BUF  INODE
                frame  12 MiB  system  memfd    no          77""",
                text(List.of(BUFFER), Converter.INSPECT));
        assertTrue(text(BUFFER, Converter.INSPECT).contains("size                  12582912 bytes (12 MiB)"));
        assertEquals("frame", text(BUFFER, Converter.LINE));
    }

    @Test
    void both_checksums_of_a_loaded_file_are_told_apart() {
        String text = text(new LoadedFile(BUFFER, 12_000_000, "aa", "bb"), Converter.INSPECT);
        assertTrue(text.contains("aa  (through the mapping)\n"), text);
        assertTrue(text.endsWith("bb  (through an exported descriptor)"), text);
        assertTrue(text.startsWith("file                  12000000 bytes"), text);
    }

    @Test
    void what_is_not_ours_is_left_to_others() {
        assertNull(converter.format(List.of(), Converter.INSPECT, converter));
        assertNull(converter.format(List.of(BUFFER, "text"), Converter.INSPECT, converter));
        assertNull(converter.format("text", Converter.INSPECT, converter));
    }

    private String text(Object target, int level) {
        return converter.format(target, level, converter).toString();
    }
}
