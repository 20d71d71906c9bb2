// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;

/**
 * Snapshot of this process's descriptors and mappings of memfds, devices and unnamed files. ProcessState of heap-tck is
 * more complete, but depends on this bundle and so cannot be used here.
 */
public final class HeldFiles {
    private static final long PATIENCE_NANOS = 10_000_000_000L;

    private final Set<String> then = now();

    /** {@return resources that the process holds now and did not hold then} */
    public Set<String> left() {
        Set<String> left = now();
        left.removeAll(then);
        return left;
    }

    /** A resource that is gone within ten seconds was released by another thread. */
    public void assertNothingLeft() {
        long end = System.nanoTime() + PATIENCE_NANOS;
        Set<String> left = left();
        while (!left.isEmpty() && System.nanoTime() < end) {
            Thread.onSpinWait();
            left = left();
        }
        if (!left.isEmpty()) {
            throw new AssertionError("left behind:\n  " + String.join("\n  ", left));
        }
    }

    private static Set<String> now() {
        Set<String> found = new TreeSet<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors) {
                try {
                    String target = Files.readSymbolicLink(descriptor).toString();
                    if (target.matches("/memfd:.*|anon_inode:.*|/dev/null")) {
                        found.add(descriptor + " " + target);
                    }
                } catch (NoSuchFileException e) {
                    // closed by another thread since the listing
                }
            }
            Files.readAllLines(Path.of("/proc/self/maps"), StandardCharsets.ISO_8859_1).stream()
                    .filter(line -> line.contains("/memfd:") && !line.contains("/memfd:java_heap"))
                    .forEach(found::add);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }
}
