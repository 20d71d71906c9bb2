// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileSaverTest {
    @TempDir
    Path folder;

    private final byte[] content = new byte[(1 << 20) + 17];

    FileSaverTest() {
        new Random(3).nextBytes(content);
    }

    @Test
    void a_file_has_all_of_the_memory() throws Exception {
        Path file = folder.resolve("f");
        new FileSaver().save(MemorySegment.ofArray(content), file, false);
        assertArrayEquals(content, Files.readAllBytes(file));
        assertEquals(List.of(file), files());
    }

    @Test
    void a_file_that_is_replaced_keeps_its_mode_and_a_link_to_it_stays() throws Exception {
        Path file = Files.writeString(folder.resolve("f"), "before");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), file);
        new FileSaver().save(MemorySegment.ofArray(content), link, true);
        assertArrayEquals(content, Files.readAllBytes(file));
        assertTrue(Files.isSymbolicLink(link));
        assertEquals("rw-r-----", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test
    void a_dangling_link_stays_and_is_reported() throws Exception {
        Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("gone"));
        for (boolean overwrite : new boolean[] {false, true}) {
            assertEquals(
                    link + " is a dangling link; create its target, or give another name",
                    assertThrows(
                                    IOException.class,
                                    () -> new FileSaver().save(MemorySegment.ofArray(content), link, overwrite))
                            .getMessage());
        }
        assertEquals(List.of(link), files());
        assertTrue(Files.isSymbolicLink(link));
    }

    @Test
    void a_full_disk_is_reported_with_a_sentence_and_no_part_of_a_file_is_left() throws Exception {
        FileSaver full = new FileSaver(part ->
                FileChannel.open(Files.createSymbolicLink(part, Path.of("/dev/full")), StandardOpenOption.WRITE));
        Path file = folder.resolve("f");
        String message = assertThrows(IOException.class, () -> full.save(MemorySegment.ofArray(content), file, false))
                .getMessage();
        assertTrue(
                message.startsWith("writing 1.0 MiB to " + file + " failed: No space left on device; free space there"),
                message);
        assertEquals(List.of(), files());
    }

    @Test
    void an_interrupt_leaves_no_part_of_a_file() throws Exception {
        Thread.currentThread().interrupt();
        assertThrows(
                ClosedByInterruptException.class,
                () -> new FileSaver().save(MemorySegment.ofArray(content), folder.resolve("f"), false));
        assertTrue(Thread.interrupted());
        assertEquals(List.of(), files());
    }

    @Test
    void an_existing_file_is_left_alone() throws Exception {
        Path file = Files.writeString(folder.resolve("f"), "before");
        refuses("file " + file + " exists; replace it with --force, or give another name", file, false);
        refuses(folder + " is not a regular file", folder, true);
        refuses("/dev/null is not a regular file", Path.of("/dev/null"), true);
        refuses("folder " + folder.resolve("gone") + " does not exist", folder.resolve("gone/f"), false);
        assertEquals("before", Files.readString(file));
    }

    private void refuses(String sentence, Path file, boolean overwrite) {
        assertEquals(
                sentence,
                assertThrows(
                                IOException.class,
                                () -> new FileSaver().save(MemorySegment.ofArray(content), file, overwrite))
                        .getMessage());
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.toList();
        }
    }
}
