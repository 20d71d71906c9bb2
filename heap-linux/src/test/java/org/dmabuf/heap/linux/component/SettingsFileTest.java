// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class SettingsFileTest {
    private static OptionalInt line(String setting, String... lines) {
        return SettingsFile.of(String.join("\n", lines)).line(setting);
    }

    @Test
    void a_setting_is_found_by_its_line() {
        assertEquals(OptionalInt.of(1), line("size", "size = 1M"));
        assertEquals(OptionalInt.of(3), line("size", "# size = 1", "", "  size: 1M"));
        assertEquals(OptionalInt.of(2), line("heap.id", "! size", "heap.id 3"));
        assertEquals(OptionalInt.empty(), line("size", "sizes = 1M", "#size = 1"));
        assertEquals(OptionalInt.empty(), line("size", ""));
    }

    @Test
    void the_last_of_several_settings_with_one_name_counts() {
        assertEquals(OptionalInt.of(3), line("size", "size = 1M", "x = 1", "size = 2M"));
    }

    @Test
    void lines_joined_by_a_backslash_are_one_setting_on_the_first_line() {
        SettingsFile file = SettingsFile.of("a = 1 \\\n  2 \\\n  size = 3\nsize = 4\\\\\nb = \\");
        assertEquals(
                List.of("1 a=1 2 size = 3", "4 size=4\\", "5 b="),
                file.entries().stream()
                        .map(entry -> entry.line() + " " + entry.key() + "=" + entry.value())
                        .toList());
        assertEquals(3, file.entries().getFirst().lines().size());
    }

    @Test
    void line_ends_of_any_system_are_accepted() {
        for (String end : List.of("\n", "\r", "\r\n")) {
            assertEquals(
                    OptionalInt.of(3),
                    SettingsFile.of("a = 1" + end + end + "size = 2").line("size"));
        }
    }

    @Test
    void a_line_with_a_wrong_escape_hides_no_other() {
        SettingsFile file = SettingsFile.of("a = \\u12\nsize = 1\nb = C:\\\\users\\unit");
        assertEquals("C:\\users\\unit", file.entries().getLast().value());
        assertEquals(OptionalInt.of(2), file.line("size"));
        assertEquals(OptionalInt.of(1), file.line("a"));
        assertEquals("\\u12", file.entries().getFirst().value());
    }
}
