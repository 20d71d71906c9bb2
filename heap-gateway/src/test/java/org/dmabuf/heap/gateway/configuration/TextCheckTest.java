// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextCheckTest {
    private static final String FILE = "etc/x.cfg";

    private static List<String> sentences(byte[] content, boolean plain) {
        return TextCheck.findings(FILE, content, plain).stream()
                .map(TextCheck.Finding::sentence)
                .toList();
    }

    private static List<String> findings(String... lines) {
        return sentences(String.join("\n", lines).getBytes(StandardCharsets.UTF_8), true);
    }

    @Test
    void a_byte_order_mark_is_reported() {
        assertEquals(
                List.of("invalid byte order mark in etc/x.cfg, line 1: expected UTF-8 without it, since it becomes part"
                        + " of the first name"),
                findings("\uFEFFheap.id = 3"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"size = 2M", "# a comment", "! a comment", "", "  # a comment", "page.size: 4K"})
    void a_backslash_that_joins_lines_is_reported_with_its_line(String next) {
        assertEquals(
                List.of("invalid backslash at the end of the line in etc/x.cfg, line 2: expected no backslash, since"
                        + " it joins line 3 to this one"),
                findings("# x", "heap.name = camera\\", next, "x = 1"));
    }

    @Test
    void a_backslash_at_the_end_of_the_file_is_reported() {
        assertEquals(1, findings("heap.id = 5\\").size());
        assertEquals(1, findings("heap.id = 5\\", "").size());
        assertEquals(List.of(), findings("path = C:\\\\"));
    }

    @Test
    void a_list_over_several_lines_is_valid() {
        assertEquals(List.of(), findings("quota.heap = \\", "  system=512M \\", "  camera=64M", "nodes = a \\", "b c"));
    }

    @Test
    void utf_16_is_reported_with_and_without_a_byte_order_mark() {
        for (Charset charset : new Charset[] {StandardCharsets.UTF_16, StandardCharsets.UTF_16LE}) {
            assertEquals(
                    List.of("invalid encoding in etc/x.cfg, line 1: expected UTF-8"),
                    sentences("size = 1\nheap.id = 2\n".getBytes(charset), true).subList(0, 1));
        }
    }

    @Test
    void an_encoding_that_is_not_utf_8_is_reported_with_its_line() {
        byte[] latin = "# x\n# Gr\u00fc\u00dfe\nsize = 1".getBytes(StandardCharsets.ISO_8859_1);
        assertEquals(List.of("invalid encoding in etc/x.cfg, line 2: expected UTF-8"), sentences(latin, true));
        assertEquals(List.of(), findings("# Gr\u00fc\u00dfe"));
    }

    @Test
    void a_duplicate_setting_is_reported_with_both_lines() {
        assertEquals(
                List.of("duplicate setting size in etc/x.cfg, line 3: expected one; line 1 has it too, and the last"
                        + " line takes effect"),
                findings("size = 1M", "#size = 3M", "size = 2M"));
    }

    @Test
    void a_line_that_sets_nothing_is_reported() {
        assertEquals(
                List.of("invalid line 'drain.ms 100' in etc/x.cfg, line 1: expected NAME = VALUE"),
                findings("drain.ms 100"));
        assertEquals(List.of(), findings("drain.ms: 100", "x =", "y=a b"));
    }

    @Test
    void an_invalid_escape_is_reported() {
        assertEquals(
                List.of("invalid escape in 'a = \\u12' in etc/x.cfg, line 1: expected four hexadecimal digits after"
                        + " \\u, or two backslashes for a backslash"),
                findings("a = \\u12", "b = 1"));
        assertEquals(List.of(), findings("a = \\u0041", "path = C:\\\\users"));
        assertEquals(1, findings("path = C:\\users").size());
    }

    @Test
    void a_line_that_cannot_be_read_is_an_error_and_one_that_is_doubtful_is_not() {
        for (String error : List.of("drain.ms 100", "a = \\u12", "\uFEFFx = 1", "x = \0")) {
            byte[] content = error.getBytes(StandardCharsets.UTF_8);
            assertTrue(TextCheck.findings(FILE, content, true).getFirst().error(), error);
        }
        for (String doubtful : List.of("a = 1\na = 2", "a = 1\\\nb = 2")) {
            byte[] content = doubtful.getBytes(StandardCharsets.UTF_8);
            assertFalse(TextCheck.findings(FILE, content, true).getFirst().error(), doubtful);
        }
    }

    @Test
    void files_of_other_formats_are_not_read_as_lines() {
        byte[] typed = "heap.id=I\"5\"\nx=[ \\\n\"a\", \\\n]\n".getBytes(StandardCharsets.UTF_8);
        assertEquals(List.of(), TextCheck.findings("etc/x.config", typed, false));
    }

    @Test
    void nothing_is_found_in_the_files_of_the_distribution() throws IOException {
        Path etc = Path.of("../distribution/src/main/gateway/etc");
        try (Stream<Path> files = Files.list(etc)) {
            List<Path> all = files.filter(file -> file.toString().matches(".*\\.(cfg|sample|properties)"))
                    .toList();
            assertTrue(all.size() >= 7, all::toString);
            for (Path file : all) {
                assertEquals(List.of(), TextCheck.findings(file.toString(), Files.readAllBytes(file), true));
            }
        }
    }
}
