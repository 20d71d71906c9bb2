// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigurationFolderTest {
    private static final Components KNOWN = new Components(Map.of(
            "org.example.acme", Set.of("heap.id", "size"),
            "org.example.open", Components.ANY));

    @TempDir
    private Path home;

    private Path etc;
    private final List<String> log = new ArrayList<>();
    private ConfigurationFolder folder;

    @BeforeEach
    void aFolder() throws IOException {
        etc = Files.createDirectory(home.resolve("etc"));
        folder = new ConfigurationFolder(etc, log::add);
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
        assertTrue(logged.contains("4980 more findings in etc/org.example.acme.cfg: expected settings,"
                + " NAME = VALUE"), logged.getLast());
    }

    @Test
    void a_file_that_is_too_large_is_reported_with_its_size_and_is_not_read() throws IOException {
        write("org.example.acme.cfg", "sise = 2", "#".repeat(2 << 20));
        assertEquals(
                List.of("invalid size = 2.0 MiB of etc/org.example.acme.cfg: expected a file of at most 1 MiB; while it"
                        + " is read, no other file takes effect"),
                logged());
    }

    @Test
    void the_settings_of_every_heap_are_known() throws IOException {
        write("org.example.acme.cfg", "heap.quota = 2", "heap.restricted = true", "service.ranking = 1");
        assertEquals(List.of(), logged());
    }

    @Test
    void an_xml_file_is_not_checked_for_settings() throws IOException {
        write(
                "org.example.acme.cfg",
                "<!DOCTYPE properties SYSTEM 'http://java.sun.com/dtd/properties.dtd'>",
                "<properties><entry key='sise'>1</entry></properties>");
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
                        "invalid folder etc/org.example.acme.cfg: expected a file with settings",
                        "invalid dangling link etc/org.example.open.cfg: expected a file with settings"),
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
}
