// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileLoaderTest {
    @TempDir
    Path folder;

    @Test
    void size_of_a_file_is_its_bytes() throws IOException {
        assertEquals(5, FileLoader.sizeOf(Files.writeString(folder.resolve("frame"), "hello")));
    }

    @Test
    void what_cannot_be_loaded_is_refused_with_a_sentence() throws IOException {
        Path empty = Files.createFile(folder.resolve("empty"));
        assertRefused("there is no file " + folder.resolve("gone"), folder.resolve("gone"));
        assertRefused(folder + " is no regular file", folder);
        assertRefused(empty + " is empty, and a buffer has at least one byte", empty);
    }

    @Test
    void file_in_a_folder_that_this_user_may_not_enter_is_not_said_to_be_missing() throws IOException {
        Path shut = Files.createDirectory(folder.resolve("shut"));
        Path file = Files.writeString(shut.resolve("frame"), "hello");
        Files.setPosixFilePermissions(shut, PosixFilePermissions.fromString("---------"));
        try {
            assumeFalse(Files.exists(file), "root may enter any folder");
            assertRefused("this user may not look into the folder of " + file, file);
        } finally {
            Files.setPosixFilePermissions(shut, PosixFilePermissions.fromString("rwx------"));
        }
    }

    private static void assertRefused(String sentence, Path file) {
        assertEquals(sentence, assertThrows(IOException.class, () -> FileLoader.sizeOf(file)).getMessage());
    }
}
