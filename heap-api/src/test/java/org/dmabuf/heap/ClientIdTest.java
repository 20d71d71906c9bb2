// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class ClientIdTest {
    private static final ClientId CAMERA = ClientId.ofBundle("org.example.camera", "file:camera.jar");
    private static final ClientId USER = ClientId.of("uid", "1000");

    private static void assertInvalid(String sentence, Executable call) {
        assertEquals(
                sentence, assertThrows(IllegalArgumentException.class, call).getMessage());
    }

    private static void assertNull(String sentence, Executable call) {
        assertEquals(sentence, assertThrows(NullPointerException.class, call).getMessage());
    }

    @Test
    void a_bundle_has_its_symbolic_name_and_location() {
        assertTrue(CAMERA.isBundle());
        assertEquals("bundle", CAMERA.kind());
        assertEquals("org.example.camera", CAMERA.name());
        assertEquals(Optional.of("file:camera.jar"), CAMERA.location());
        assertEquals("org.example.camera", CAMERA.toString());
    }

    @Test
    void a_bundle_without_a_symbolic_name_is_named_by_its_location() {
        ClientId old = ClientId.ofBundle("", "file:old.jar");
        assertEquals("@file:old.jar", old.name());
        assertEquals("@file:old.jar", old.toString());
        assertEquals(Optional.of("file:old.jar"), old.location());
    }

    @Test
    void a_client_outside_the_framework_has_a_kind_and_a_name_and_no_location() {
        assertFalse(USER.isBundle());
        assertEquals("uid", USER.kind());
        assertEquals("1000", USER.name());
        assertEquals(Optional.empty(), USER.location());
        assertEquals("uid:1000", USER.toString());
        assertEquals(
                "a".repeat(16), ClientId.of("a".repeat(16), "x".repeat(128)).kind());
    }

    @Test
    void a_kind_that_is_not_a_short_word_or_is_reserved_for_bundles_is_refused() {
        for (String kind : List.of("", "Uid", "1uid", "u-id", "u id", "a".repeat(17), "bundle")) {
            assertInvalid(
                    "invalid kind = '" + kind + "': expected a lower-case word such as uid, and not 'bundle'",
                    () -> ClientId.of(kind, "1000"));
        }
    }

    @Test
    void a_name_that_is_empty_too_long_or_not_visible_is_refused() {
        assertInvalid("invalid name = '': expected 1 to 128 visible characters", () -> ClientId.of("uid", ""));
        assertInvalid("invalid name = 'a b': expected 1 to 128 visible characters", () -> ClientId.of("uid", "a b"));
        assertInvalid("invalid name = 'a?': expected 1 to 128 visible characters", () -> ClientId.of("uid", "a\n"));
        assertInvalid(
                "invalid name = '" + "x".repeat(80) + "\u2026': expected 1 to 128 visible characters",
                () -> ClientId.of("uid", "x".repeat(129)));
    }

    @Test
    void nulls_are_refused() {
        assertNull("invalid symbolicName = null: expected a text", () -> ClientId.ofBundle(null, "file:a"));
        assertNull("invalid location = null: expected a text", () -> ClientId.ofBundle("a", null));
        assertNull("invalid kind = null: expected a word", () -> ClientId.of(null, "1000"));
        assertNull("invalid name = null: expected a text", () -> ClientId.of("uid", null));
    }

    @Test
    void clients_are_equal_if_kind_name_and_location_are_equal() {
        ClientId same = ClientId.ofBundle("org.example.camera", "file:camera.jar");
        assertEquals(CAMERA, same);
        assertEquals(CAMERA.hashCode(), same.hashCode());
        assertEquals(0, CAMERA.compareTo(same));
        for (ClientId other : List.of(
                ClientId.ofBundle("org.example.camera", "file:other.jar"),
                ClientId.ofBundle("org.example.other", "file:camera.jar"),
                ClientId.of("uid", "org.example.camera"))) {
            assertNotEquals(CAMERA, other);
            assertNotEquals(0, CAMERA.compareTo(other));
        }
        assertNotEquals(ClientId.of("gid", "1000"), USER);
        assertNotEquals(new Object(), USER);
    }

    @Test
    void a_bundle_whose_name_reads_like_another_client_is_not_that_client() {
        ClientId disguised = ClientId.ofBundle("uid:1000", "file:disguised.jar");
        assertEquals(USER.toString(), disguised.toString());
        assertNotEquals(USER, disguised);
        assertNotEquals(0, USER.compareTo(disguised));
        assertEquals(Integer.signum(USER.compareTo(disguised)), -Integer.signum(disguised.compareTo(USER)));
    }

    @Test
    void clients_are_ordered_by_text_and_then_by_location() {
        List<ClientId> ordered = List.of(
                ClientId.ofBundle("", "file:z"),
                ClientId.ofBundle("a", "file:2"),
                ClientId.ofBundle("a", "file:3"),
                ClientId.of("gid", "9"),
                ClientId.ofBundle("h", "file:1"));
        List<ClientId> mixed = new ArrayList<>(ordered.reversed());
        Collections.sort(mixed);
        assertEquals(ordered, mixed);
    }

    @Test
    void it_is_equal_after_serialization() throws Exception {
        for (ClientId id : List.of(CAMERA, USER)) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
                out.writeObject(id);
            }
            try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
                assertEquals(id, in.readObject());
            }
        }
    }
}
