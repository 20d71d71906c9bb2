// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.Optional;
import java.util.jar.JarFile;
import java.util.jar.Manifest;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.osgi.framework.Constants;

/**
 * Reason why a file cannot be a bundle, found before the framework sees the file. Otherwise the framework would stop a
 * bundle for a replacement that has been copied only in part.
 *
 * @param sentence end of a sentence about the file, with the remedy
 * @param maybeUnfinished whether a file that is still being written can have the same flaw
 */
record JarFlaw(String sentence, boolean maybeUnfinished) {
    /** The file is a folder, a FIFO or a device. It must not be opened, since that could block. */
    static final JarFlaw NO_FILE = new JarFlaw("it is not a regular file; drop a bundle, or remove it", false);

    /**
     * Limits that no bundle reaches. The framework keeps a copy of the file, and several copies of the manifest in
     * memory.
     */
    static final long MAX_FILE_MIB = 2048;

    static final int MAX_MANIFEST_MIB = 16;
    static final long MAX_CONTENT_MIB = 8192;

    private static final int MIB = 1 << 20;

    /** Reads the whole file: a jar's directory is at its end, and each entry has a checksum. */
    static Optional<JarFlaw> of(Path file) throws NoSuchFileException {
        return of(file, true);
    }

    /** Reads only the start of the file and its manifest. */
    static Optional<JarFlaw> ofManifest(Path file) throws NoSuchFileException {
        return of(file, false);
    }

    private static Optional<JarFlaw> of(Path file, boolean whole) throws NoSuchFileException {
        try {
            if (!Files.isRegularFile(file)) {
                return Files.exists(file) ? Optional.of(NO_FILE) : missing(file);
            }
            if (!startsAsZip(file)) {
                return Optional.of(new JarFlaw("it is not a jar; drop a bundle, or remove it", true));
            }
            if (Files.size(file) > MAX_FILE_MIB * MIB) {
                return tooLarge("it is larger than " + MAX_FILE_MIB + " MiB");
            }
            try (ZipFile zip = new ZipFile(file.toFile())) {
                return of(zip, whole);
            }
        } catch (NoSuchFileException e) {
            throw e;
        } catch (AccessDeniedException e) {
            return Optional.of(new JarFlaw("the gateway's user may not read it; change its owner or its mode", true));
        } catch (IOException | IllegalArgumentException e) { // the latter for names in an unknown encoding
            return Optional.of(new JarFlaw("it is truncated or damaged (" + Sentence.of(e) + "); copy it again", true));
        }
    }

    private static Optional<JarFlaw> missing(Path file) throws NoSuchFileException {
        throw new NoSuchFileException(file.toString());
    }

    private static Optional<JarFlaw> tooLarge(String what) {
        return Optional.of(new JarFlaw(what + "; drop a smaller bundle, or remove it", false));
    }

    private static Optional<JarFlaw> of(ZipFile zip, boolean whole) throws IOException {
        ZipEntry manifest = zip.getEntry(JarFile.MANIFEST_NAME);
        if (manifest != null && !hasAtMost((long) MAX_MANIFEST_MIB * MIB, zip, manifest)) {
            return tooLarge("its manifest is larger than " + MAX_MANIFEST_MIB + " MiB");
        }
        long left = MAX_CONTENT_MIB * MIB;
        for (Enumeration<? extends ZipEntry> all = zip.entries(); whole && left >= 0 && all.hasMoreElements(); ) {
            left -= check(zip, all.nextElement(), left);
        }
        if (left < 0) {
            return tooLarge("its content is larger than " + MAX_CONTENT_MIB + " MiB");
        }
        return manifest != null && isBundle(zip, manifest)
                ? Optional.empty()
                : Optional.of(new JarFlaw(
                        "it is a jar but not a bundle, since its manifest has no " + Constants.BUNDLE_SYMBOLICNAME
                                + "; drop a bundle, or remove it",
                        false));
    }

    private static boolean startsAsZip(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.read() == 'P' && in.read() == 'K';
        }
    }

    /** Counts the bytes that come out: the sizes in a jar's directory can be wrong. */
    private static boolean hasAtMost(long bytes, ZipFile zip, ZipEntry entry) throws IOException {
        try (InputStream in = zip.getInputStream(entry)) {
            return read(in, bytes) <= bytes;
        }
    }

    /** {@return the size of the entry in bytes; more than {@code max} as soon as it exceeds that} */
    private static long check(ZipFile zip, ZipEntry entry, long max) throws IOException {
        CRC32 crc = new CRC32();
        long size;
        try (InputStream in = new CheckedInputStream(zip.getInputStream(entry), crc)) {
            size = read(in, max);
        }
        if (size <= max && crc.getValue() != entry.getCrc()) {
            throw new IOException("wrong checksum of " + entry.getName());
        }
        return size;
    }

    private static long read(InputStream in, long max) throws IOException {
        byte[] part = new byte[1 << 16];
        long size = 0;
        for (int n = in.read(part); n >= 0 && size <= max; n = in.read(part)) {
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted");
            }
            size += n;
        }
        return size;
    }

    private static boolean isBundle(ZipFile zip, ZipEntry manifest) throws IOException {
        try (InputStream in = zip.getInputStream(manifest)) {
            return new Manifest(in).getMainAttributes().getValue(Constants.BUNDLE_SYMBOLICNAME) != null;
        }
    }
}
