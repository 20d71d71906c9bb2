// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the files of one process, on files that the tests write. */
class ProcessFilesTest {
    private static final int PID = 7;

    @TempDir
    private Path proc;

    private Path folder;

    @BeforeEach
    void makeProcess() throws IOException {
        folder = Files.createDirectories(proc.resolve("7/fd")).getParent();
        write("stat", "7 (camera) S 1 1 1 0 -1 0 0\n");
        write("maps", "");
    }

    private void write(String file, String text) throws IOException {
        Files.writeString(folder.resolve(file), text, StandardCharsets.UTF_8);
    }

    private Optional<ProcessFiles> read() throws IOException {
        return ProcessFiles.read(proc, PID, _ -> true);
    }

    @Test
    void a_mapping_has_its_file_and_its_bytes_and_other_mappings_are_left_out() throws IOException {
        write("maps", """
                555500000000-555500001000 r-xp 00000000 fd:01 99                         /usr/bin/camera
                7f0000000000-7f0000002000 rw-s 00001000 00:0d 77                         /dmabuf:frame
                7f0000002000-7f0000003000 rw-s 00000000 00:01 5                          /memfd:x (deleted)
                7f0000003000-7f0000004000 rw-p 00000000 00:00 0\s
                7ffff0000000-7ffff0001000 rw-p 00000000 00:00 0                          [stack]
                """);
        assertEquals(
                List.of(
                        new ProcessFiles.Mapped(new FileId(13, 77), true, 0x2000),
                        new ProcessFiles.Mapped(new FileId(1, 5), false, 0x1000)),
                read().orElseThrow().mapped());
        assertEquals(
                List.of(new ProcessFiles.Mapped(new FileId(13, 77), true, 0x2000)),
                ProcessFiles.read(proc, PID, _ -> false).orElseThrow().mapped());
    }

    @Test
    void a_name_with_a_carriage_return_cannot_forge_a_mapping() throws IOException {
        write(
                "maps",
                "7f0000000000-7f0000001000 rw-s 00000000 00:01 5 /memfd:x\r"
                        + "7f0000001000-7f0000002000 rw-s 00000000 00:0d 77 /dmabuf:frame (deleted)\n");
        assertEquals(
                List.of(new ProcessFiles.Mapped(new FileId(1, 5), false, 0x1000)),
                read().orElseThrow().mapped());
    }

    @Test
    void a_name_of_a_process_may_look_like_the_end_of_a_name() throws IOException {
        write("stat", "7 (\u00e9) Z 1\n(b) S 1 1 1 0 -1 0 0\n");
        assertEquals("\u00e9) Z 1\n(b", read().orElseThrow().name());
    }

    @Test
    void a_thread_of_the_kernel_and_a_process_that_has_ended_have_no_files() throws IOException {
        write("stat", "7 (kworker) S 1 1 1 0 -1 2129984 0\n");
        assertEquals(Optional.empty(), read());
        write("stat", "7 (ended) Z 1 1 1 0 -1 0 0\n");
        Files.createDirectories(folder.resolve("task/7"));
        write("task/7/stat", "7 (ended) Z 1 1 1 0 -1 0 0\n");
        assertEquals(Optional.empty(), read());
    }

    @Test
    void secret_memory_is_shareable() throws IOException {
        write("maps", "7f0000000000-7f0000001000 rw-s 00000000 00:0e 5 /secretmem (deleted)\n");
        assertEquals(1, read().orElseThrow().mapped().size());
    }

    @Test
    void a_process_that_ends_meanwhile_is_an_error_of_its_file() throws IOException {
        Files.delete(folder.resolve("maps"));
        assertThrows(NoSuchFileException.class, this::read);
    }
}
