// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of reading files. LimitsTest checks the case without a free descriptor. */
class ProcFileTest {
    @TempDir
    Path folder;

    @Test
    void a_file_is_read_whole_and_each_byte_becomes_one_character() throws IOException {
        byte[] content = new byte[40_000];
        for (int i = 0; i < content.length; i++) {
            content[i] = (byte) (i * 7);
        }
        Path file = Files.write(folder.resolve("file"), content);
        String read = ProcFile.read(file).orElseThrow();
        assertEquals(new String(content, StandardCharsets.ISO_8859_1), read);
    }

    @Test
    void a_file_of_the_kernel_with_size_0_is_read() {
        assertTrue(ProcFile.read(Path.of("/proc/self/status")).orElseThrow().contains("\nPid:"));
    }

    @Test
    void an_absent_file_or_a_folder_is_empty() {
        assertEquals(Optional.empty(), ProcFile.read(folder.resolve("absent")));
        assertEquals(Optional.empty(), ProcFile.read(folder));
    }

    @Test
    void a_file_with_a_long_path_is_read() throws IOException {
        Path deep = folder;
        while (deep.toString().length() < 2000) {
            deep = deep.resolve("n".repeat(200));
        }
        Path file = Files.writeString(Files.createDirectories(deep).resolve("file"), "deep");
        assertEquals(Optional.of("deep"), ProcFile.read(file));
        assertEquals(Optional.empty(), ProcFile.read(deep.resolve("absent")));
    }
}
