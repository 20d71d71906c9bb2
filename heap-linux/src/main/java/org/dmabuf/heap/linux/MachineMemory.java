// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * How much memory this process may still take: MemAvailable, and the limit of each cgroup above the process, version 2
 * or 1. Page cache that the kernel would drop first does not count as used, else reading a large file would look like
 * memory that is gone.
 */
final class MachineMemory {
    /** One cgroup with a limit: the files that tell it, by their names in the two versions. */
    private record Cgroup(Path folder, String max, String current, String inactiveKey) {
        OptionalLong available() {
            OptionalLong limit = number(folder.resolve(max));
            OptionalLong used = number(folder.resolve(current));
            if (limit.isEmpty() || used.isEmpty()) {
                return OptionalLong.empty(); // "max", or gone
            }
            long droppable = field(lines(folder.resolve("memory.stat")), inactiveKey + " ", 1).orElse(0);
            // memory.stat lags behind: more can be droppable than used. Version 1 writes "no limit" as nearly 2^63.
            return OptionalLong.of(Math.max(0, limit.getAsLong() - Math.max(0, used.getAsLong() - droppable)));
        }
    }

    private final Path proc;
    private final List<Cgroup> cgroups;

    MachineMemory() {
        this(Path.of("/proc"), Path.of("/sys/fs/cgroup"));
    }

    MachineMemory(Path proc, Path mount) {
        this.proc = proc;
        this.cgroups = limited(proc, mount);
    }

    Headroom.Reading read() {
        List<String> meminfo = lines(proc.resolve("meminfo"));
        // Without the figure there is no way to be careful, so nothing is available.
        long available = field(meminfo, "MemAvailable:", 1024).orElse(0);
        String limit = "the machine's MemAvailable";
        // Counted as available, but set aside for contiguous buffers: what else is there has to be movable, and memory
        // that devices may have is not.
        long contiguous = field(meminfo, "CmaFree:", 1024).orElse(0);
        if (contiguous > 0) {
            available = Math.max(0, available - contiguous);
            limit += " less its CmaFree";
        }
        for (Cgroup cgroup : cgroups) {
            OptionalLong here = cgroup.available();
            if (here.isPresent() && here.getAsLong() < available) {
                available = here.getAsLong();
                limit = "the limit in " + cgroup.folder.resolve(cgroup.max);
            }
        }
        return new Headroom.Reading(available, limit);
    }

    /** {@return bytes of memory that the machine has in all; 0 when that cannot be read} */
    long total() {
        return field(lines(proc.resolve("meminfo")), "MemTotal:", 1024).orElse(0);
    }

    /**
     * The cgroup of this process and those above it. In a container the path may be the host's: then only the top is
     * there.
     */
    private static List<Cgroup> limited(Path proc, Path mount) {
        List<Cgroup> found = new ArrayList<>();
        for (String line : lines(proc.resolve("self/cgroup"))) {
            String[] parts = line.split(":", 3);
            if (parts.length < 3) {
                continue;
            }
            if (parts[1].isEmpty()) {
                addUpwards(found, mount, parts[2], "memory.max", "memory.current", "inactive_file");
            } else if (List.of(parts[1].split(",")).contains("memory")) {
                addUpwards(
                        found,
                        mount.resolve("memory"),
                        parts[2],
                        "memory.limit_in_bytes",
                        "memory.usage_in_bytes",
                        "total_inactive_file");
            }
        }
        return found;
    }

    private static void addUpwards(
            List<Cgroup> found, Path top, String path, String max, String current, String inactiveKey) {
        Path folder = top.resolve(path.substring(1)).normalize();
        for (; folder != null && folder.startsWith(top); folder = folder.getParent()) {
            if (Files.isReadable(folder.resolve(max))) {
                found.add(new Cgroup(folder, max, current, inactiveKey));
            }
        }
    }

    private static OptionalLong number(Path file) {
        List<String> lines = lines(file);
        return lines.isEmpty() ? OptionalLong.empty() : parse(lines.getFirst().strip(), 1);
    }

    /** The number behind a key that begins a line. */
    private static OptionalLong field(List<String> lines, String key, long unit) {
        for (String line : lines) {
            if (line.startsWith(key)) {
                return parse(line.substring(key.length()).strip().split(" ")[0], unit);
            }
        }
        return OptionalLong.empty();
    }

    private static OptionalLong parse(String text, long unit) {
        try {
            return OptionalLong.of(Math.multiplyExact(Long.parseLong(text), unit));
        } catch (NumberFormatException | ArithmeticException e) {
            return OptionalLong.empty(); // "max", which is no limit
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            return List.of();
        }
    }
}
