// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigurationFolderTest {
    private static final Components KNOWN =
            new Components(Map.of("org.example.acme", Set.of("heap.id", "size"), "org.example.open", Components.ANY));

    @TempDir
    private Path home;

    private Path etc;
    private final List<String> log = new ArrayList<>();
    private final Configured configured = new Configured();
    private ConfigurationFolder folder;

    @BeforeEach
    void aFolder() throws IOException {
        etc = Files.createDirectory(home.resolve("etc"));
        folder = new ConfigurationFolder(etc, configured, log::add);
    }

    /** Configurations in memory. */
    private static final class Configured implements ConfigurationFolder.Target {
        private final Map<String, Map<String, Object>> settings = new TreeMap<>();
        private boolean failing;

        @Override
        public void retain(Set<String> names) {
            settings.keySet().retainAll(names);
        }

        @Override
        public boolean owns(String name) {
            return settings.containsKey(name);
        }

        @Override
        public void apply(String name, Map<String, Object> content) throws IOException {
            if (failing) {
                throw new IOException("disk full");
            }
            settings.put(name, content);
        }

        @Override
        public void remove(String name) {
            settings.remove(name);
        }
    }

    /** {@return the log after enough scans to see a file twice without a change} */
    private List<String> logged() throws IOException {
        log.clear();
        for (int i = 0; i < 3; i++) {
            folder.look();
            folder.compare(KNOWN);
        }
        return List.copyOf(log);
    }

    private Path write(String name, String... lines) throws IOException {
        return Files.writeString(etc.resolve(name), String.join("\n", lines) + "\n");
    }

    @Test
    void a_setting_that_the_component_does_not_know_is_reported_once_for_each_version_of_the_file() throws IOException {
        write("org.example.acme.cfg", "size = 1", "sise = 2");
        String logged = "unknown setting sise in etc/org.example.acme.cfg, line 2: expected one of heap.id, size";
        assertEquals(List.of(logged), logged());
        assertEquals(List.of(), logged());
        write("org.example.acme.cfg", "# longer", "size = 1", "sise = 2");
        assertEquals(List.of(logged.replace("line 2", "line 3")), logged());
        write("org.example.acme.cfg", "size = 1");
        assertEquals(List.of(), logged());
        write("org.example.acme-left.cfg", "sise = 2");
        assertEquals(1, logged().size());
    }

    @Test
    void some_lines_of_a_file_in_another_format_are_reported_and_the_others_counted() throws IOException {
        String[] lines = new String[5000];
        Arrays.setAll(lines, i -> "line" + i + " of a log: failed");
        write("org.example.acme.cfg", lines);
        List<String> logged = logged();
        assertEquals(21, logged.size());
        assertTrue(
                logged.contains("4980 more findings in etc/org.example.acme.cfg: expected settings," + " NAME = VALUE"),
                logged.getLast());
    }

    @Test
    void a_file_that_is_too_large_is_reported_with_its_size_and_is_not_read() throws IOException {
        write("org.example.acme.cfg", "sise = 2", "#".repeat(2 << 20));
        assertEquals(
                List.of("invalid size = 2.0 MiB of etc/org.example.acme.cfg: expected a file of at most 1 MiB; it is"
                        + " not read"),
                logged());
    }

    @Test
    void the_settings_of_every_heap_are_known() throws IOException {
        write("org.example.acme.cfg", "heap.quota = 2", "heap.restricted = true", "service.ranking = 1");
        assertEquals(List.of(), logged());
    }

    @Test
    void settings_of_a_component_without_known_settings_are_not_reported() throws IOException {
        write("org.example.open.cfg", "anything = 2");
        assertEquals(List.of(), logged());
    }

    @Test
    void a_folder_and_a_dangling_link_with_the_name_of_a_file_are_reported() throws IOException {
        Files.createDirectory(etc.resolve("org.example.acme.cfg"));
        Files.createSymbolicLink(etc.resolve("org.example.open.cfg"), home.resolve("gone"));
        assertEquals(
                List.of(
                        "invalid dangling link etc/org.example.open.cfg: expected a file with settings",
                        "invalid folder etc/org.example.acme.cfg: expected a file with settings"),
                logged().stream().sorted().toList());
        assertEquals(List.of(), logged());
    }

    @Test
    void a_file_that_is_still_written_is_not_read() throws IOException {
        write("org.example.acme.cfg", "size");
        assertFalse(folder.look());
        write("org.example.acme.cfg", "size = 1");
        assertFalse(folder.look());
        assertTrue(folder.look());
        assertFalse(folder.look());
        assertEquals(List.of(), log);
    }

    @Test
    void the_files_of_an_editor_are_passed_over() throws IOException {
        Files.createSymbolicLink(etc.resolve(".#org.example.acme.cfg"), Path.of("somebody@host.1:2"));
        write("org.example.acme.cfg~", "x");
        write(".org.example.acme.cfg.swp", "x");
        assertEquals(List.of(), logged());
    }

    @Test
    void a_file_that_is_removed_and_returns_with_an_error_is_reported_again() throws IOException {
        Path file = write("org.example.amce.cfg", "size = 1");
        assertEquals(
                List.of("invalid name org.example.amce.cfg in etc: expected the PID of a component, but no component"
                        + " has org.example.amce; the nearest is org.example.acme"),
                logged());
        Files.delete(file);
        assertEquals(List.of(), logged());
        write("org.example.amce.cfg", "size = 1");
        assertEquals(1, logged().size());
    }

    @Test
    void a_link_to_a_file_is_a_file() throws IOException {
        Path target = Files.writeString(home.resolve("real"), "size = 1\nsize = 2\n");
        Files.createSymbolicLink(etc.resolve("org.example.acme.cfg"), target);
        assertEquals(1, logged().size());
    }

    @Test
    void the_first_look_applies_every_file_at_once_and_removes_what_vanished_files_left() throws IOException {
        configured.settings.put("org.example.gone.cfg", Map.of("size", "1"));
        write("org.example.acme.cfg", "size = 1", "heap.id: 2");
        write("org.example.typed.config", "size=I\"3\"", "names=[\"a\", \"b\"]");
        write("org.example.other.txt", "size = 1");
        folder.lookFirst();
        assertEquals(Set.of("org.example.acme.cfg", "org.example.typed.config"), configured.settings.keySet());
        assertEquals(Map.of("size", "1", "heap.id", "2"), configured.settings.get("org.example.acme.cfg"));
        assertEquals(3, configured.settings.get("org.example.typed.config").get("size"));
        assertEquals(List.of(), log);
    }

    @Test
    void of_two_files_for_a_pid_one_is_read_until_it_is_removed() throws IOException {
        write("org.example.acme.config", "size=I\"3\"");
        folder.lookFirst();
        Path preferred = write("org.example.acme.cfg", "size = 1");
        assertEquals(
                List.of("invalid name org.example.acme.config in etc: expected one file for a PID, but"
                        + " org.example.acme.cfg has the same; it is not read"),
                logged());
        assertEquals(Map.of("size", "1"), configured.settings.get("org.example.acme.cfg"));
        write("org.example.acme.config", "size=I\"4\"");
        assertEquals(List.of(), logged());
        assertEquals(3, configured.settings.get("org.example.acme.config").get("size"));
        Files.delete(preferred);
        assertEquals(List.of(), logged());
        assertEquals(Set.of("org.example.acme.config"), configured.settings.keySet());
        assertEquals(4, configured.settings.get("org.example.acme.config").get("size"));
    }

    @Test
    void a_change_is_applied_at_the_second_look_and_a_removal_as_well() throws IOException {
        folder.lookFirst();
        Path file = write("org.example.acme.cfg", "size = 1");
        folder.look();
        assertEquals(Map.of(), configured.settings);
        folder.look();
        assertEquals(Map.of("size", "1"), configured.settings.get("org.example.acme.cfg"));
        Files.delete(file); // an editor may delete a file and write it again
        folder.look();
        assertTrue(configured.owns("org.example.acme.cfg"));
        folder.look();
        assertEquals(Map.of(), configured.settings);
    }

    @Test
    void a_change_that_keeps_size_and_time_is_applied() throws Exception {
        Path file = write("org.example.acme.cfg", "size = 1");
        FileTime time = Files.getLastModifiedTime(file);
        folder.lookFirst();
        Thread.sleep(20); // longer than a tick of the kernel's clock
        write("org.example.acme.cfg", "size = 2");
        Files.setLastModifiedTime(file, time);
        folder.look();
        folder.look();
        assertEquals(Map.of("size", "2"), configured.settings.get("org.example.acme.cfg"));
    }

    @Test
    void a_new_target_of_a_link_in_the_middle_of_a_path_is_applied() throws IOException {
        for (String version : List.of("1", "2")) {
            Path data = Files.createDirectory(etc.resolve(".." + version));
            Files.writeString(data.resolve("org.example.acme.cfg"), "size = " + version);
        }
        Path data = Files.createSymbolicLink(etc.resolve("..data"), Path.of("..1"));
        Files.createSymbolicLink(etc.resolve("org.example.acme.cfg"), Path.of("..data/org.example.acme.cfg"));
        folder.lookFirst();
        Files.delete(data);
        Files.createSymbolicLink(data, Path.of("..2"));
        folder.look();
        folder.look();
        assertEquals(Map.of("size", "2"), configured.settings.get("org.example.acme.cfg"));
    }

    @Test
    void an_error_of_syntax_leaves_in_force_what_was_in_force() throws IOException {
        write("org.example.acme.cfg", "size = 1");
        write("org.example.typed.config", "size=I\"3\"");
        folder.lookFirst();
        write("org.example.acme.cfg", "heap.id = 2", "size 2");
        write("org.example.typed.config", "size=I\"three\"", "colour");
        List<String> logged = logged();
        assertEquals(
                "invalid line 'size 2' in etc/org.example.acme.cfg, line 2: expected NAME = VALUE; the previous"
                        + " settings stay in force",
                logged.getFirst());
        String typed = logged.stream()
                .filter(line -> line.startsWith("invalid syntax in etc/org.example.typed.config: "))
                .findFirst()
                .orElseThrow(() -> new AssertionError(logged));
        assertTrue(typed.endsWith("; the previous settings stay in force"), typed);
        assertEquals(Map.of("size", "1"), configured.settings.get("org.example.acme.cfg"));
        assertEquals(Map.of("size", 3), configured.settings.get("org.example.typed.config"));
        write("org.example.acme.cfg", "size = 2");
        logged();
        assertEquals(Map.of("size", "2"), configured.settings.get("org.example.acme.cfg"));
    }

    @Test
    void of_a_file_that_was_never_in_force_the_lines_that_can_be_read_are_applied() throws IOException {
        write("org.example.acme.cfg", "heap.id = 2", "size 2");
        folder.lookFirst();
        assertEquals("2", configured.settings.get("org.example.acme.cfg").get("heap.id"));
        assertEquals(List.of("invalid line 'size 2' in etc/org.example.acme.cfg, line 2: expected NAME = VALUE"), log);
    }

    @Test
    void a_file_with_comments_only_has_no_settings() throws IOException {
        write("org.example.acme.cfg", "# size = 1", "");
        folder.lookFirst();
        assertEquals(Map.of("org.example.acme.cfg", Map.of()), configured.settings);
    }

    @Test
    void a_failure_of_the_store_is_reported_once_and_tried_again() throws IOException {
        configured.failing = true;
        write("org.example.acme.cfg", "size = 1");
        folder.lookFirst();
        folder.look();
        assertEquals(
                List.of("configuring from etc/org.example.acme.cfg failed: java.io.IOException: disk full; it is"
                        + " tried again"),
                log);
        configured.failing = false;
        folder.look();
        assertEquals(Map.of("size", "1"), configured.settings.get("org.example.acme.cfg"));
    }
}
