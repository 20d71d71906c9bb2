// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Mounts of this process. {@link java.nio.file.FileStore#isReadOnly()} does not see a read-only bind mount within one
 * file system, which is how a container gets a folder.
 */
final class MountTable {
    /** Format: proc_pid_mountinfo(5). */
    private static final Path FILE = Path.of("/proc/self/mountinfo");

    /** A space, tab, line feed or backslash in a path, as three octal digits. */
    private static final Pattern ESCAPED = Pattern.compile("\\\\([0-7]{3})");

    private static final int OCTAL = 8;

    private final List<Mount> mounts;

    private MountTable(List<Mount> mounts) {
        this.mounts = mounts;
    }

    static MountTable read() throws IOException {
        return parse(new String(Files.readAllBytes(FILE), StandardCharsets.UTF_8));
    }

    static MountTable parse(String text) {
        return new MountTable(text.lines().flatMap(Mount::parse).toList());
    }

    /**
     * Returns whether a path is in a read-only mount. If the mount is not in the table, as in some chroots, the path
     * counts as writable.
     *
     * @param path a real path
     */
    boolean isReadOnly(Path path) {
        return root().map(root -> topmost(root, path).readOnly).orElse(false);
    }

    private Optional<Mount> root() {
        return mounts.stream()
                .filter(mount -> mount.point.getParent() == null
                        && mounts.stream().noneMatch(other -> other != mount && other.id == mount.parent))
                .findFirst();
    }

    /** Follows the mounts as the kernel does when it resolves a path. A later mount can hide mounts below it. */
    private Mount topmost(Mount mount, Path path) {
        return mounts.stream()
                .filter(child -> child != mount && child.parent == mount.id && path.startsWith(child.point))
                .min(Comparator.comparingInt(child -> child.point.getNameCount()))
                .map(child -> topmost(child, path))
                .orElse(mount);
    }

    private record Mount(int id, int parent, Path point, boolean readOnly) {
        /** {@return the mount; empty if its path has characters that this process's locale has not} */
        private static Stream<Mount> parse(String line) {
            String[] fields = line.split(" ");
            String point = ESCAPED.matcher(fields[4]).replaceAll(Mount::unescaped);
            boolean readOnly = Arrays.asList(fields[5].split(",")).contains("ro");
            try {
                Path path = Path.of(point);
                return Stream.of(new Mount(Integer.parseInt(fields[0]), Integer.parseInt(fields[1]), path, readOnly));
            } catch (InvalidPathException e) {
                return Stream.empty(); // no path of this process leads there
            }
        }

        private static String unescaped(MatchResult escape) {
            return Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(escape.group(1), OCTAL)));
        }
    }
}
