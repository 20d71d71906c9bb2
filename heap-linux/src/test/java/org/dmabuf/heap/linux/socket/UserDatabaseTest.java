// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UserDatabaseTest {
    @TempDir
    Path folder;

    private UserDatabase database;

    @BeforeEach
    void write() throws IOException {
        database = UserDatabase.of(
                Files.write(
                        folder.resolve("passwd"),
                        "root:x:0:0:Ren\u00e9:/:/bin/sh\nplayer:x:990:44::/:\n".getBytes(StandardCharsets.ISO_8859_1)),
                Files.writeString(folder.resolve("group"), "root:x:0:\nvideo:x:44:player\n"));
    }

    @Test
    void users_and_groups_are_found_by_name_or_number() throws IOException {
        assertEquals(990, database.userOf("player"));
        assertEquals(44, database.groupOf("video"));
        assertEquals(1234, database.userOf("1234"));
        assertEquals(0xFFFF_FFFE, database.groupOf("4294967294"));
        assertEquals("player", database.nameOfUser(990));
        assertEquals("video", database.nameOfGroup(44));
        assertEquals("4294967294", database.nameOfUser(0xFFFF_FFFE));
    }

    @Test
    void other_numbers_are_refused_with_a_sentence() {
        assertEquals(
                "unknown user 'nosuch': it is not in " + folder.resolve("passwd")
                        + "; give a name that the file has, or a number",
                assertThrows(IllegalArgumentException.class, () -> database.userOf("nosuch"))
                        .getMessage());
        assertEquals(
                "invalid group = '4294967295': expected a whole number from 0 to 4294967294",
                assertThrows(IllegalArgumentException.class, () -> database.groupOf("4294967295"))
                        .getMessage());
    }
}
