// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HomeTest {
    private static final Path ARCHIVE = Path.of("/opt/gateway");

    @TempDir
    private Path folder;

    @Test
    void the_folders_of_the_archive_are_in_it() {
        Home home = Home.of(ARCHIVE, Map.of(), Map.of("DMAHEAP_ETC", " "));
        assertEquals(ARCHIVE.resolve("etc"), home.etc());
        assertEquals(ARCHIVE.resolve("deploy"), home.deploy());
        assertEquals(ARCHIVE.resolve("cache"), home.cache());
        assertEquals("", home.socket());
        assertEquals(Optional.empty(), home.state());
    }

    @Test
    void an_option_is_stronger_than_the_environment_and_that_is_stronger_than_the_archive() {
        Map<String, String> environment = Map.of(
                "DMAHEAP_ETC", "/etc/x",
                "DMAHEAP_DEPLOY", "/srv/x",
                "DMAHEAP_STATE", "/var/lib/x",
                "DMAHEAP_RUN", "/run/x");
        Home home = Home.of(ARCHIVE, Map.of(), environment);
        assertEquals(Path.of("/etc/x/gateway.properties"), home.settings());
        assertEquals(Path.of("/srv/x"), home.deploy());
        assertEquals(Path.of("/var/lib/x/cache"), home.cache());
        assertEquals("/run/x/control", home.socket());

        Map<String, String> options = Map.of("--etc", "/etc/y", "--deploy", "y", "--state", "/y", "--run", "/run/y");
        assertEquals(
                new Home(
                        ARCHIVE,
                        Path.of("/etc/y"),
                        Path.of("y").toAbsolutePath(),
                        Optional.of(Path.of("/y")),
                        Optional.of(Path.of("/run/y"))),
                Home.of(ARCHIVE, options, environment));
    }

    @Test
    void the_state_folder_of_systemd_is_the_first_of_its_list_and_weaker_than_our_own_variable() {
        Map<String, String> service = Map.of("STATE_DIRECTORY", "/var/lib/a:/var/lib/b");
        assertEquals(
                Optional.of(Path.of("/var/lib/a")),
                Home.of(ARCHIVE, Map.of(), service).state());
        assertEquals(
                Optional.of(Path.of("/c")),
                Home.of(ARCHIVE, Map.of(), Map.of("STATE_DIRECTORY", "/a", "DMAHEAP_STATE", "/c"))
                        .state());
    }

    @Test
    void the_configuration_folder_of_systemd_counts_only_if_it_is_a_gateways() throws IOException {
        Map<String, String> service = Map.of("CONFIGURATION_DIRECTORY", folder.toString());
        assertEquals(ARCHIVE.resolve("etc"), Home.of(ARCHIVE, Map.of(), service).etc());
        Files.createFile(folder.resolve("gateway.properties"));
        assertEquals(folder, Home.of(ARCHIVE, Map.of(), service).etc());
    }
}
