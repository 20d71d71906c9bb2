// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Entries of the deploy folder that do not run, although their user may expect it. They are jars with another ending,
 * folders of jars, and links without a target. Each is reported once while it is there.
 */
final class StrayEntries {
    private static final String ENDING = ".jar";

    private final Reports reports;
    private final Set<Path> reported = new HashSet<>();

    StrayEntries(Reports reports) {
        this.reports = reports;
    }

    /** Reports the entries that were not there before. */
    void see(Set<Path> entries) {
        reported.retainAll(entries);
        for (Path entry : entries) {
            if (!reported.contains(entry)) {
                flaw(entry).ifPresent(sentence -> {
                    reported.add(entry);
                    reports.problem(entry.getFileName() + sentence);
                });
            }
        }
    }

    private static Optional<String> flaw(Path entry) {
        if (Files.isDirectory(entry)) {
            return hasJars(entry)
                    ? Optional.of(" is a folder, and its jars do not run; move them to the folder above")
                    : Optional.empty();
        }
        if (!endsAsJar(entry)) {
            return Optional.empty();
        }
        if (!isJar(entry)) {
            return Optional.of(" does not run, since its name does not end in " + ENDING + "; rename it");
        }
        return Files.isSymbolicLink(entry) && !Files.exists(entry)
                ? Optional.of(" does not run, since its link to " + target(entry)
                        + " leads to no file; correct the link, or remove it")
                : Optional.empty();
    }

    /** {@return whether the gateway takes the entry for a jar} */
    static boolean isJar(Path entry) {
        return entry.getFileName().toString().endsWith(ENDING);
    }

    private static boolean endsAsJar(Path entry) {
        return entry.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(ENDING);
    }

    private static boolean hasJars(Path folder) {
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(folder, StrayEntries::endsAsJar)) {
            return jars.iterator().hasNext();
        } catch (IOException | DirectoryIteratorException e) {
            return false; // such as lost+found, which only root may list
        }
    }

    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException e) {
            return "a file";
        }
    }
}
