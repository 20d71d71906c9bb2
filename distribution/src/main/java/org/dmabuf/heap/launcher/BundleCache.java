// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The folder in which the framework keeps its state, one for each process: two gateways may run from one home at once,
 * and a gateway always starts from the jars that are there now. It is deleted at the end; what a killed process left
 * behind is deleted by the next one that starts.
 */
final class BundleCache {
    /** The process in the name tells a leftover from a folder in use; the rest of the name is random. */
    private static final Pattern NAME = Pattern.compile("dmabuf-gateway-(\\d+)-\\d+");

    /** The start of a process is known to about a second: by how much it has to be later to be that of another one. */
    private static final Duration CLOCKS_DIFFER = Duration.ofSeconds(10);

    private final Path folder;

    private BundleCache(Path folder) {
        this.folder = folder;
    }

    /**
     * Makes this process's folder, after deleting those of processes that no longer live.
     *
     * @param preferred where to make it, created when missing
     * @param otherwise where to make it when {@code preferred} cannot be written
     */
    static BundleCache create(Path preferred, Path otherwise) throws Failure {
        try {
            Files.createDirectories(preferred);
            return createIn(preferred);
        } catch (IOException notWritable) {
            try {
                return createIn(otherwise);
            } catch (IOException e) {
                throw Failure.of("no room for the bundle cache, neither in " + preferred + " nor in " + otherwise, e);
            }
        }
    }

    private static BundleCache createIn(Path parent) throws IOException {
        deleteStale(parent);
        return new BundleCache(
                Files.createTempDirectory(parent, "dmabuf-gateway-" + ProcessHandle.current().pid() + "-"));
    }

    Path folder() {
        return folder;
    }

    /** Deletes the folder with everything in it. */
    void delete() {
        delete(folder);
    }

    private static void deleteStale(Path parent) throws IOException {
        List<Path> entries;
        try (Stream<Path> list = Files.list(parent)) {
            entries = list.toList();
        }
        entries.stream().filter(BundleCache::isStale).forEach(BundleCache::delete);
    }

    private static boolean isStale(Path folder) {
        Matcher name = NAME.matcher(folder.getFileName().toString());
        if (!name.matches()) {
            return false;
        }
        try {
            Instant used = Files.getLastModifiedTime(folder).toInstant();
            Optional<ProcessHandle> owner = ProcessHandle.of(Long.parseLong(name.group(1)));
            return owner.isEmpty() || startedAfter(owner.get(), used.plus(CLOCKS_DIFFER));
        } catch (IOException | NumberFormatException e) {
            return false; // gone meanwhile, or none of ours
        }
    }

    /** True of a process that only happens to have the id of the one that made the folder: common in containers. */
    private static boolean startedAfter(ProcessHandle process, Instant time) {
        return process.info().startInstant().filter(time::isBefore).isPresent();
    }

    /** Best effort: what cannot be deleted (another user's, in a shared folder) is no reason to stop. */
    private static void delete(Path folder) {
        try (Stream<Path> tree = Files.walk(folder)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | UncheckedIOException e) {
            // the next start tries again
        }
    }
}
