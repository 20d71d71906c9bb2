// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigurationStoreTest {
    @TempDir
    private Path parent;

    private Path folder;
    private final Map<String, String> settings = new TreeMap<>();

    @BeforeEach
    void aFolder() {
        folder = parent.resolve("state").resolve("configurations");
    }

    @Test
    void its_folder_is_made_for_the_own_user_alone_and_given_to_configuration_admin() throws IOException {
        try (ConfigurationStore store = ConfigurationStore.open(folder, settings)) {
            assertNotNull(store);
            assertEquals(Map.of("felix.cm.dir", folder.toString()), settings);
            assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
        }
    }

    @Test
    void one_gateway_at_a_time_uses_it() {
        try (ConfigurationStore store = ConfigurationStore.open(folder, settings)) {
            assertNotNull(store);
            settings.clear();
            assertNull(ConfigurationStore.open(folder, settings));
            assertEquals(Map.of(), settings);
        }
        try (ConfigurationStore next = ConfigurationStore.open(folder, settings)) {
            assertNotNull(next);
        }
    }

    @Test
    void a_folder_that_others_can_write_to_or_that_cannot_be_made_is_not_used() throws IOException {
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertNull(ConfigurationStore.open(folder, settings));
        assertNull(ConfigurationStore.open(Files.createFile(parent.resolve("file")), settings));
        assertEquals(Map.of(), settings);
    }
}
