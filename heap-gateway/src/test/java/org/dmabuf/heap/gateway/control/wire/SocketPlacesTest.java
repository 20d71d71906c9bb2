// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketPlacesTest {
    @TempDir
    Path folder;

    @Test
    void the_setting_comes_first() throws IOException {
        SocketPlaces places = places("/srv/x/ctl", Map.of("RUNTIME_DIRECTORY", "/run/a"));
        assertEquals(Path.of("/srv/x/ctl"), places.toOpen().orElseThrow().path());
        assertEquals(List.of(Path.of("/srv/x/ctl")), asked(places));
    }

    @Test
    void the_value_none_means_no_socket() throws IOException {
        assertEquals(Optional.empty(), places(" none ", Map.of()).toOpen());
        assertEquals(List.of(), asked(places("none", Map.of())));
    }

    @Test
    void a_service_opens_it_in_its_first_runtime_folder() throws IOException {
        SocketPlaces places = places("", Map.of("RUNTIME_DIRECTORY", "/run/a:/run/b", "XDG_RUNTIME_DIR", "" + folder));
        assertEquals(Path.of("/run/a/control"), places.toOpen().orElseThrow().path());
        assertFalse(places.toOpen().orElseThrow().ownFolder());
    }

    @Test
    void a_user_has_it_in_the_folder_of_the_session() throws IOException {
        SocketPlaces places = places(null, Map.of("XDG_RUNTIME_DIR", "" + folder));
        Path expected = folder.resolve("dmaheap-gateway/control");
        assertEquals(expected, places.toOpen().orElseThrow().path());
        assertTrue(places.toOpen().orElseThrow().ownFolder());
        assertEquals(
                List.of(
                        Path.of("/run/dmaheap-gateway/control"),
                        expected,
                        Path.of("/tmp/dmaheap-gateway-" + User.own() + "/control")),
                asked(places));
    }

    @Test
    void the_folder_of_another_user_is_not_used() throws IOException {
        int another = User.own() + 1;
        SocketPlaces places =
                new SocketPlaces("", Map.of("XDG_RUNTIME_DIR", "" + folder), another, Path.of("/run"), Path.of("/tmp"));
        assertEquals(
                Path.of("/tmp/dmaheap-gateway-" + another + "/control"),
                places.toOpen().orElseThrow().path());
    }

    @Test
    void blank_variables_count_as_unset() throws IOException {
        SocketPlaces places = places("", Map.of("RUNTIME_DIRECTORY", "", "XDG_RUNTIME_DIR", " "));
        assertEquals(
                Path.of("/tmp/dmaheap-gateway-" + User.own() + "/control"),
                places.toOpen().orElseThrow().path());
    }

    private static SocketPlaces places(String setting, Map<String, String> environment) throws IOException {
        return new SocketPlaces(setting, environment, User.own(), Path.of("/run"), Path.of("/tmp"));
    }

    private static List<Path> asked(SocketPlaces places) {
        return places.toAsk().stream().map(SocketPlace::path).toList();
    }
}
