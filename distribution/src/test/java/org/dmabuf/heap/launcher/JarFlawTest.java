// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JarFlawTest {
    @TempDir
    Path folder;

    @Test
    void complete_bundle_has_no_flaw() throws IOException {
        assertEquals(Optional.empty(), flaw(bundle()));
    }

    @Test
    void every_truncated_bundle_is_refused_as_possibly_unfinished() throws IOException {
        byte[] whole = bundle();
        for (int length = 0; length < whole.length; length++) {
            assertTrue(flaw(Arrays.copyOf(whole, length)).orElseThrow().maybeUnfinished(), length + " bytes");
        }
    }

    @Test
    void file_of_full_length_that_is_not_all_written_is_damaged() throws IOException {
        byte[] bytes = bundle();
        Arrays.fill(bytes, bytes.length / 4, bytes.length / 2, (byte) 0); // like an unfinished copy by blocks
        assertTrue(flaw(bytes).orElseThrow().sentence().startsWith("it is truncated or damaged ("));
    }

    @Test
    void jar_without_a_symbolic_name_is_not_an_unfinished_bundle() throws IOException {
        JarFlaw flaw = flaw(jar(new Manifest())).orElseThrow();
        assertFalse(flaw.maybeUnfinished());
        assertTrue(flaw.sentence().startsWith("it is a jar but not a bundle"), flaw.sentence());
    }

    @Test
    void text_file_is_not_a_jar() throws IOException {
        assertTrue(flaw("hello".getBytes()).orElseThrow().sentence().startsWith("it is not a jar"));
    }

    @Test
    void unreadable_file_is_not_reported_as_damaged() throws IOException {
        Path jar = Files.write(folder.resolve("shut.jar"), bundle());
        Files.setPosixFilePermissions(jar, PosixFilePermissions.fromString("---------"));
        assumeFalse(Files.isReadable(jar), "skipped: root may read any file");
        JarFlaw flaw = JarFlaw.of(jar).orElseThrow();
        assertEquals("the gateway's user may not read it; change its owner or its mode", flaw.sentence());
    }

    @Test
    void missing_file_has_no_flaw() {
        assertThrows(NoSuchFileException.class, () -> JarFlaw.of(folder.resolve("gone.jar")));
    }

    @Test
    void special_file_is_not_opened() throws Exception {
        Path fifo = folder.resolve("fifo.jar");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        for (Path path : List.of(fifo, Files.createSymbolicLink(folder.resolve("l.jar"), fifo), Path.of("/dev/zero"))) {
            assertEquals(Optional.of(JarFlaw.NO_FILE), JarFlaw.of(path));
            assertEquals(Optional.of(JarFlaw.NO_FILE), JarFlaw.ofManifest(path));
        }
    }

    @Test
    void manifest_too_large_for_the_heap_is_not_read_into_it() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarOutputStream jar = new JarOutputStream(bytes)) {
            jar.putNextEntry(new ZipEntry("META-INF/MANIFEST.MF"));
            jar.write("Manifest-Version: 1.0\r\nBundle-SymbolicName: org.acme\r\n".getBytes());
            byte[] line = ("X: " + "x".repeat(60) + "\r\n").getBytes();
            for (int size = 0; size <= JarFlaw.MAX_MANIFEST_MIB << 20; size += line.length) {
                jar.write(line);
            }
        }
        JarFlaw flaw = flaw(bytes.toByteArray()).orElseThrow();
        assertEquals("its manifest is larger than 16 MiB; drop a smaller bundle, or remove it", flaw.sentence());
        assertEquals(Optional.of(flaw), JarFlaw.ofManifest(folder.resolve("a.jar")));
        assertFalse(flaw.maybeUnfinished());
    }

    @Test
    void file_of_10_GB_is_neither_read_nor_copied() throws IOException {
        Path file = Files.write(folder.resolve("zeros.jar"), bundle());
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(10L << 30);
        }
        assertEquals(
                "it is larger than 2048 MiB; drop a smaller bundle, or remove it",
                JarFlaw.of(file).orElseThrow().sentence());
    }

    @Test
    void reading_a_jar_that_expands_for_ever_can_be_interrupted() throws Exception {
        Path file = Files.write(folder.resolve("a.jar"), bundle());
        List<JarFlaw> found = new ArrayList<>();
        Thread reader = Thread.ofPlatform().start(() -> {
            Thread.currentThread().interrupt();
            try {
                JarFlaw.of(file).ifPresent(found::add);
            } catch (NoSuchFileException e) {
                throw new AssertionError(e);
            }
        });
        reader.join();
        assertEquals(1, found.size());
    }

    private Optional<JarFlaw> flaw(byte[] bytes) throws IOException {
        return JarFlaw.of(Files.write(folder.resolve("a.jar"), bytes));
    }

    private static byte[] bundle() throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().putValue("Manifest-Version", "1.0");
        manifest.getMainAttributes().putValue("Bundle-SymbolicName", "org.acme");
        return jar(manifest);
    }

    private static byte[] jar(Manifest manifest) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest)) {
            jar.putNextEntry(new ZipEntry("data"));
            jar.write("some data that is long enough to be more than its headers "
                    .repeat(3)
                    .getBytes());
        }
        return bytes.toByteArray();
    }
}
