// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.dmabuf.heap.nativeclient.protocol.Request;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests of the component with configurations that change. */
class NativeClientsTest extends ServedTest {
    private NativeClients component;

    @AfterEach
    void deactivate() {
        component.deactivate();
    }

    private void activate(Map<String, String> configured) {
        component = new NativeClients(
                broker(), broker.monitor(), null, MadeUpConfig.config(configured), Map.copyOf(configured));
    }

    private void modify(Map<String, String> configured) {
        component.configure(MadeUpConfig.config(configured), Map.copyOf(configured));
    }

    @Test
    void a_connection_outlives_a_change_of_the_rules_and_ends_with_a_change_of_the_path() throws Exception {
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        activate(Map.of("path", first.toString()));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(first)));
        try (Program program = Program.greeting(first)) {
            assertInstanceOf(Reply.Failure.class, program.ask(Program.allocate(PAGE)));
            modify(Map.of("path", first.toString(), "allow", "system=" + user));
            assertInstanceOf(Reply.Buffer.class, program.ask(Program.allocate(PAGE)));
            program.closeDescriptors();

            modify(Map.of("path", second.toString(), "access", "all"));
            assertTrue(program.socket.hasHungUp());
        }
        assertFalse(Files.exists(first));
        assertEquals("rw-rw-rw-", PosixFilePermissions.toString(Files.getPosixFilePermissions(second)));
        component.deactivate();
        assertFalse(Files.exists(second));
    }

    @Test
    void an_invalid_change_leaves_the_previous_settings_in_force() throws Exception {
        Path other = folder.resolve("other");
        activate(Map.of("path", other.toString(), "allow", "system=" + user));
        try (Program program = Program.greeting(other)) {
            modify(Map.of("path", folder.resolve("unused").toString(), "allow", "system"));
            assertInstanceOf(Reply.Buffer.class, program.ask(Program.allocate(PAGE)));
        }
        assertFalse(Files.exists(folder.resolve("unused")));
    }

    @Test
    void a_path_that_cannot_be_opened_leaves_the_previous_socket_open() {
        Path other = folder.resolve("other");
        activate(Map.of("path", other.toString(), "allow", "system=" + user));
        try (Program program = Program.greeting(other)) {
            modify(Map.of("path", folder.resolve("missing/socket").toString(), "allow", "system=" + user));
            assertInstanceOf(Reply.Buffer.class, program.ask(Program.allocate(PAGE)));
            Program.greeting(other).close();
        }
    }

    @Test
    void a_change_of_the_access_at_the_same_path_opens_a_socket_with_the_other_mode() throws Exception {
        Path other = folder.resolve("other");
        activate(Map.of("path", other.toString()));
        modify(Map.of("path", other.toString(), "access", "all"));
        assertEquals("rw-rw-rw-", PosixFilePermissions.toString(Files.getPosixFilePermissions(other)));
        Program.greeting(other).close();
    }

    @Test
    void after_a_failed_start_the_next_change_opens_the_socket() {
        activate(Map.of("path", folder.resolve("missing/socket").toString()));
        Path other = folder.resolve("other");
        modify(Map.of("path", other.toString()));
        try (Program program = new Program(other)) {
            assertInstanceOf(Reply.Welcome.class, program.ask(Request.Hello.own()));
        }
    }
}
