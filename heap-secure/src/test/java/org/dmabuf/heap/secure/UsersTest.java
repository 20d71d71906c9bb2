// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UsersTest {
    private static final HeapSettings SETTINGS =
            HeapSettings.of(SecureHeap.PID, "secure", Map.of(), "", () -> 3, () -> 0);

    @TempDir
    Path folder;

    private Users users;

    @BeforeEach
    void a_machine_with_three_users() throws IOException {
        users = new Users(SETTINGS, Files.writeString(folder.resolve("passwd"), """
                        root:x:0:0:root:/root:/bin/sh
                        audio-player:x:977:977::/:/usr/sbin/nologin
                        far:x:4294967294:1::/:/usr/sbin/nologin
                        """));
    }

    @Test
    void users_are_listed_by_number_or_name_in_one_value_or_several() {
        assertEquals(List.of(), users.ids());
        assertEquals(List.of(), users.ids("", "  "));
        assertEquals(List.of(1000), users.ids("1000"));
        assertEquals(List.of(977, 1000, 0), users.ids("audio-player, 1000", "root"));
        assertEquals(List.of(1, 2, 3), users.ids("1 2,3"));
    }

    @Test
    void a_number_above_two_to_the_31_has_the_same_bits_as_an_int() {
        assertEquals(List.of(-2, -2), users.ids("far", "4294967294"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"no-such-user", "4294967296", "-1", "roo", "root:x"})
    void an_unknown_user_is_refused_by_name(String word) {
        HeapException refusal = assertThrows(HeapException.class, () -> users.ids("root," + word));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(
                "heap 'secure': invalid heap.peers = " + word + " in org.dmabuf.heap.secure: expected users of "
                        + folder.resolve("passwd") + ", by number or name",
                refusal.getMessage());
    }

    @Test
    void a_comment_in_another_encoding_does_not_hide_a_user() throws IOException {
        String lines = "old:x:7:7:Jos\u00e9:/:/bin/sh\naudio-player:x:977:977::/:/bin/sh\n";
        Path latin = Files.writeString(folder.resolve("latin"), lines, StandardCharsets.ISO_8859_1);
        assertEquals(List.of(977, 7), new Users(SETTINGS, latin).ids("audio-player old"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "", "-1", "4294967296"})
    void a_user_with_an_invalid_number_is_refused(String number) throws IOException {
        Path broken = Files.writeString(folder.resolve("broken"), "audio-player:x:" + number + ":977::/:/bin/sh\n");
        HeapException refusal =
                assertThrows(HeapException.class, () -> new Users(SETTINGS, broken).ids("audio-player"));
        assertEquals(Errno.EINVAL, refusal.errno());
    }

    @Test
    void without_a_list_of_users_numbers_still_work() {
        Users numbers = new Users(SETTINGS, folder.resolve("none"));
        assertEquals(List.of(7), numbers.ids("7"));
        assertThrows(HeapException.class, () -> numbers.ids("root"));
    }
}
