// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
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
 * Why a file cannot be a bundle, found out before the framework sees it: the framework would take a bundle out of
 * service for a replacement of which only the first half has arrived.
 *
 * @param sentence the end of a sentence about the file, with the remedy
 * @param maybeUnfinished whether a file that somebody still writes looks the same
 */
record JarFlaw(String sentence, boolean maybeUnfinished) {
    /** Reads the whole file: its directory is at its end, and each entry has a checksum. */
    static Optional<JarFlaw> of(Path file) throws NoSuchFileException {
        try {
            if (!startsAsZip(file)) {
                return Optional.of(new JarFlaw("it is no jar at all; drop a bundle, or remove it", true));
            }
            try (ZipFile zip = new ZipFile(file.toFile())) {
                for (Enumeration<? extends ZipEntry> entries = zip.entries(); entries.hasMoreElements(); ) {
                    check(zip, entries.nextElement());
                }
                return isBundle(zip)
                        ? Optional.empty()
                        : Optional.of(new JarFlaw(
                                "it is a jar but no bundle, its manifest names no " + Constants.BUNDLE_SYMBOLICNAME
                                        + "; drop a bundle, or remove it",
                                false));
            }
        } catch (NoSuchFileException e) {
            throw e;
        } catch (AccessDeniedException e) {
            return Optional.of(new JarFlaw("the gateway's user may not read it; change its owner or its mode", true));
        } catch (IOException | IllegalArgumentException e) { // the latter of names in no known encoding
            return Optional.of(
                    new JarFlaw("it is cut off or damaged (" + Sentence.of(e) + "); copy it once more", true));
        }
    }

    private static boolean startsAsZip(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.read() == 'P' && in.read() == 'K';
        }
    }

    private static void check(ZipFile zip, ZipEntry entry) throws IOException {
        CRC32 crc = new CRC32();
        try (InputStream in = new CheckedInputStream(zip.getInputStream(entry), crc)) {
            in.transferTo(OutputStream.nullOutputStream());
        }
        if (crc.getValue() != entry.getCrc()) {
            throw new IOException("wrong checksum of " + entry.getName());
        }
    }

    private static boolean isBundle(ZipFile zip) throws IOException {
        ZipEntry entry = zip.getEntry(JarFile.MANIFEST_NAME);
        if (entry == null) {
            return false;
        }
        try (InputStream in = zip.getInputStream(entry)) {
            return new Manifest(in).getMainAttributes().getValue(Constants.BUNDLE_SYMBOLICNAME) != null;
        }
    }
}
