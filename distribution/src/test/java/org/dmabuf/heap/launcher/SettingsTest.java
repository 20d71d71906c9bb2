// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsTest {
    @TempDir
    Path folder;

    @Test
    void file_is_read_and_a_system_property_of_the_same_name_wins() throws IOException, Failure {
        Path file = Files.writeString(folder.resolve("p"), "a = 1 \nb = 2\n");
        Properties system = new Properties();
        system.setProperty("b", "3");
        system.setProperty("c", "4");
        assertEquals(Map.of("a", "1", "b", "3"), Settings.load(file, system));
    }

    @Test
    void session_variables_are_those_of_the_prefix() {
        Map<String, String> settings = Map.of("session.SCOPE", "dmaheap:*", "felix.log.level", "2");
        assertEquals(Map.of("SCOPE", "dmaheap:*"), Settings.ofSession(settings));
    }

    @Test
    void missing_file_is_named() {
        Path file = folder.resolve("none");
        Failure failure = assertThrows(Failure.class, () -> Settings.load(file, new Properties()));
        assertEquals(
                "reading " + file + " failed: NoSuchFileException: " + file
                        + "; permit the gateway's user to read it, or copy it again",
                failure.getMessage());
    }
}
