// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dmabuf.heap.linux.kernel.ProcFile;

/**
 * Directories of this process's memory cgroup: its own and those above it, as far as a mount shows them. Immutable.
 *
 * <p>{@code /proc/self/cgroup} names the cgroup from the root of the process's cgroup namespace, and
 * {@code /proc/self/mountinfo} names the mounts from the same root. If the names between the two are hidden, the
 * directory is found by its inode, or by the list of processes in it.
 *
 * @param secondVersion whether it is of version 2
 * @param levels the own directory first, the mount point last; empty if unknown
 * @param doubt why the own directory is unknown, with the remedy; empty if it is known, or without a cgroup
 */
record OwnCgroup(boolean secondVersion, List<Path> levels, String doubt) {
    private static final OwnCgroup NONE = new OwnCgroup(true, List.of(), "");
    /** Limit of directories for a search. */
    private static final int MOST_DIRECTORIES = 4096;

    private static final Pattern ESCAPE = Pattern.compile("\\\\([0-7]{3})");

    /** Mount of the hierarchy: the cgroup at its top, and the mount point. */
    private record Mount(Name root, Path point) {}

    /** Path of a cgroup from the root of the namespace: a number of steps up, then names. */
    private record Name(int up, List<String> names) {
        static Name of(String path) {
            int up = 0;
            List<String> names = new ArrayList<>();
            for (String part : path.split("/")) {
                if (part.equals("..")) {
                    up++;
                } else if (!part.isEmpty()) {
                    names.add(part);
                }
            }
            return new Name(up, List.copyOf(names));
        }

        /** {@return whether the other cgroup is this one or below it} */
        boolean contains(Name other) {
            return names.isEmpty()
                    ? up >= other.up
                    : up == other.up
                            && names.size() <= other.names.size()
                            && names.equals(other.names.subList(0, names.size()));
        }

        /** {@return whether each name on the path down to the other cgroup is known} */
        boolean leadsTo(Name other) {
            return contains(other) && up == other.up;
        }
    }

    /**
     * Finds the directories.
     *
     * @param proc where the proc file system is
     * @param membership content of {@code /proc/self/cgroup}
     * @param cgroupId returns the inode of the own directory of version 2, or {@link CgroupId#UNKNOWN}
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left
     */
    static OwnCgroup locate(Path proc, String membership, LongSupplier cgroupId) {
        String path = null;
        boolean second = true;
        for (String line : membership.split("\n")) {
            String[] parts = line.split(":", 3);
            if (parts.length == 3 && Arrays.asList(parts[1].split(",")).contains("memory")) {
                path = parts[2];
                second = false;
            } else if (parts.length == 3 && parts[1].isEmpty() && second) {
                path = parts[2];
            }
        }
        if (path == null) {
            return NONE; // a kernel without memory cgroups
        }
        long id = second ? cgroupId.getAsLong() : CgroupId.UNKNOWN;
        return locate(second, Name.of(utf8(path)), path, mounts(proc, second), id);
    }

    /**
     * {@return whether huge pages are charged to memory cgroups} That is a mount option of the cgroup file system since
     * Linux 6.7. It has no effect on memory cgroups of version 1.
     */
    static boolean chargesHugePages(Path proc) {
        boolean charged = false;
        for (String line :
                ProcFile.read(proc.resolve("self/mountinfo")).orElse("").split("\n")) {
            String[] halves = line.split(" - ", 2);
            String[] right = halves[halves.length - 1].split(" ");
            List<String> options = Arrays.asList(right[right.length - 1].split(","));
            if (right[0].equals("cgroup") && options.contains("memory")) {
                return false;
            }
            charged |= right[0].equals("cgroup2") && options.contains("memory_hugetlb_accounting");
        }
        return charged;
    }

    private static OwnCgroup locate(boolean second, Name own, String path, List<Mount> mounts, long id) {
        for (Mount mount : mounts) {
            if (mount.root.leadsTo(own)) {
                Path folder = mount.point;
                for (String name : own.names.subList(mount.root.names.size(), own.names.size())) {
                    folder = folder.resolve(name);
                }
                if (Files.isDirectory(folder) && (id == CgroupId.UNKNOWN || inode(folder) == id)) {
                    return found(second, mount, folder);
                }
            }
        }
        for (Mount mount : mounts) {
            Path folder = mount.root.contains(own) || id != CgroupId.UNKNOWN ? search(mount.point, id) : null;
            if (folder != null) {
                return found(second, mount, folder);
            }
        }
        String doubt = "the memory limit of this process's cgroup, " + path + " in /proc/self/cgroup, is unknown: no"
                + " mount of cgroups contains it, and exceeding the limit would end this process; mount the cgroup file"
                + " system of the process's own cgroup namespace, or start the process in the cgroup in which it stays";
        // Cgroups above the own one limit the process, too.
        return mounts.stream()
                .filter(mount -> mount.root.contains(own))
                .findFirst()
                .map(mount -> new OwnCgroup(second, List.of(mount.point), doubt))
                .orElse(new OwnCgroup(second, List.of(), doubt));
    }

    private static OwnCgroup found(boolean second, Mount mount, Path folder) {
        List<Path> levels = new ArrayList<>();
        for (Path level = folder; level.startsWith(mount.point); level = level.getParent()) {
            levels.add(level);
            if (level.equals(mount.point)) {
                break;
            }
        }
        return new OwnCgroup(second, List.copyOf(levels), "");
    }

    /** Returns the mounts. Of several mounts on a folder the last one is visible. */
    private static List<Mount> mounts(Path proc, boolean second) {
        Map<Path, Mount> mounts = new LinkedHashMap<>();
        for (String line :
                ProcFile.read(proc.resolve("self/mountinfo")).orElse("").split("\n")) {
            // ID PARENT DEVICE ROOT POINT OPTIONS [TAG ...] - TYPE SOURCE OPTIONS
            String[] halves = line.split(" - ", 2);
            String[] left = halves[0].split(" ");
            if (halves.length < 2 || left.length < 6) {
                continue;
            }
            Path point = Path.of(unescape(left[4]));
            String[] right = halves[1].split(" ");
            boolean ofMemory = second
                    ? right[0].equals("cgroup2")
                    : right[0].equals("cgroup")
                            && Arrays.asList(right[right.length - 1].split(",")).contains("memory");
            if (ofMemory) {
                mounts.put(point, new Mount(Name.of(unescape(left[3])), point));
            } else {
                mounts.remove(point);
            }
        }
        return List.copyOf(mounts.values());
    }

    private static String unescape(String text) {
        return utf8(ESCAPE.matcher(text)
                .replaceAll(
                        match -> Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(match.group(1), 8)))));
    }

    private static String utf8(String bytes) {
        return new String(bytes.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    }

    /** {@return the folder of this process's cgroup below a mount point, or null} */
    private static Path search(Path top, long id) {
        String pid = Long.toString(ProcessHandle.current().pid());
        Deque<Path> left = new ArrayDeque<>(List.of(top));
        for (int seen = 0; seen < MOST_DIRECTORIES && !left.isEmpty(); seen++) {
            Path folder = left.poll();
            if (id == CgroupId.UNKNOWN ? lists(folder, pid) : inode(folder) == id) {
                return folder;
            }
            try (DirectoryStream<Path> below =
                    Files.newDirectoryStream(folder, one -> Files.isDirectory(one, LinkOption.NOFOLLOW_LINKS))) {
                below.forEach(left::add);
            } catch (IOException | DirectoryIteratorException e) {
                ProcFile.requireDescriptors(folder); // otherwise the folder was removed, or must not be read
            }
        }
        return null;
    }

    private static boolean lists(Path folder, String pid) {
        return ProcFile.read(folder.resolve("cgroup.procs")).stream()
                .flatMap(String::lines)
                .anyMatch(pid::equals);
    }

    private static long inode(Path folder) {
        try {
            return (long) Files.getAttribute(folder, "unix:ino");
        } catch (IOException e) {
            return 0; // not a valid inode
        }
    }
}
