// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.LongSupplier;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * How much memory this process may still take: MemAvailable, and the limits of each cgroup above the process, version 2
 * or 1. Page cache that the kernel would drop first does not count as used, else reading a large file would look like
 * memory that is gone. Of shareable memory the larger counts: what is in memory, or what this process answers for.
 *
 * <p>The cgroup is looked for at the first reading, and again when the process was moved. One thread at a time may call
 * {@link #read}.
 */
public final class MachineMemory {
    private static final System.Logger LOG = System.getLogger(MachineMemory.class.getName());

    /** Version 1 writes "no limit" as nearly 2^63. */
    private static final long NO_LIMIT = 1L << 62;

    /**
     * One limit at one moment.
     *
     * @param available bytes; less than 0 when more is used than the limit allows
     * @param limit what the bytes are left of, for a sentence
     * @param size bytes of the limit
     */
    public record Bound(long available, String limit, long size) {
        /** More than any machine has; sums of it with what was granted do not overflow. */
        public static final Bound NONE = new Bound(Long.MAX_VALUE / 2, "no limit", Long.MAX_VALUE);
    }

    /**
     * The limits at one moment.
     *
     * @param machine of all memory
     * @param cgroup the tightest of the cgroups, which not all memory is charged to
     */
    public record Reading(Bound machine, Bound cgroup) {
        public Reading(long available, String limit) {
            this(new Bound(available, limit, Long.MAX_VALUE), Bound.NONE);
        }
    }

    private final Path proc;
    private final LongSupplier cgroupId;
    private String membership = "";
    private OwnCgroup cgroup = new OwnCgroup(true, List.of(), "");

    public MachineMemory() {
        this(Path.of("/proc"), CgroupId::ofThisProcess);
    }

    /**
     * @param proc where the proc file system is
     * @param cgroupId gives the inode of the own cgroup's directory, or {@link CgroupId#UNKNOWN}
     */
    public MachineMemory(Path proc, LongSupplier cgroupId) {
        this.proc = proc;
        this.cgroupId = cgroupId;
    }

    /**
     * Reads the limits.
     *
     * @param held bytes of shareable memory that this process answers for in full size
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left to read with
     */
    public Reading read(long held) {
        Bound machine = machine(held);
        String now = ProcFile.read(proc.resolve("self/cgroup")).orElse("");
        if (!now.equals(membership)) {
            OwnCgroup found = OwnCgroup.locate(proc, now, cgroupId);
            if (!found.doubt().isEmpty()) {
                LOG.log(Level.WARNING, found.doubt());
            }
            cgroup = found;
            membership = now;
        }
        Bound tightest = Bound.NONE;
        for (Path level : cgroup.levels()) {
            tightest = tighter(tightest, cgroup.secondVersion() ? second(level, held) : first(level, held));
        }
        return new Reading(machine, tightest);
    }

    private Bound machine(long held) {
        String meminfo = ProcFile.read(proc.resolve("meminfo")).orElse("");
        OptionalLong figure = field(meminfo, "MemAvailable:", 1024);
        if (figure.isEmpty()) { // without the figure there is no way to be careful
            return new Bound(
                    0, "the machine's MemAvailable, which is not in " + proc.resolve("meminfo"), Long.MAX_VALUE);
        }
        long available = figure.getAsLong();
        String limit = "the machine's MemAvailable";
        // Counted as available, but set aside for contiguous buffers: what else is there has to be movable, and memory
        // that devices may have is not.
        long contiguous = field(meminfo, "CmaFree:", 1024).orElse(0);
        if (contiguous > 0) {
            available = Math.max(0, available - contiguous);
            limit += " less its CmaFree";
        }
        long absent = absent(held, field(meminfo, "Shmem:", 1024));
        return new Bound(available - absent, limit + note(absent), Long.MAX_VALUE);
    }

    /** {@return bytes of memory that the machine has in all; 0 when that cannot be read} */
    public long total() {
        return field(ProcFile.read(proc.resolve("meminfo")).orElse(""), "MemTotal:", 1024).orElse(0);
    }

    private Bound second(Path folder, long held) {
        OptionalLong max = number(folder.resolve("memory.max"));
        OptionalLong high = number(folder.resolve("memory.high")); // above it the kernel puts each thread to sleep
        OptionalLong used = number(folder.resolve("memory.current"));
        boolean byHigh = high.isPresent() && high.getAsLong() < max.orElse(Long.MAX_VALUE);
        OptionalLong limit = byHigh ? high : max;
        if (limit.isEmpty() || used.isEmpty()) {
            return Bound.NONE; // "max", or gone
        }
        String stat = ProcFile.read(folder.resolve("memory.stat")).orElse("");
        long droppable = field(stat, "inactive_file ", 1).orElse(0);
        long absent = absent(held, field(stat, "shmem ", 1));
        String name = "the limit in " + folder.resolve(byHigh ? "memory.high" : "memory.max");
        return bound(limit.getAsLong(), used.getAsLong() - droppable, absent, name + upTo());
    }

    /** Only the root of all cgroups has no limit of its own to read, and what is above another top is not shown. */
    private String upTo() {
        Path top = cgroup.levels().getLast();
        return ProcFile.read(top.resolve("memory.max")).isEmpty()
                ? ""
                : " (limits are known up to the namespace's root, " + top + ")";
    }

    private static Bound first(Path folder, long held) {
        String stat = ProcFile.read(folder.resolve("memory.stat")).orElse("");
        long droppable = field(stat, "total_inactive_file ", 1).orElse(0);
        long absent = absent(held, field(stat, "total_shmem ", 1));
        return tighter(
                first(folder, "memory.", stat, "hierarchical_memory_limit ", droppable, absent),
                first(folder, "memory.memsw.", stat, "hierarchical_memsw_limit ", droppable, absent));
    }

    /** The figure in memory.stat also knows the limits of cgroups above that no mount shows. */
    private static Bound first(
            Path folder, String prefix, String stat, String inherited, long droppable, long absent) {
        Path file = folder.resolve(prefix + "limit_in_bytes");
        long own = number(file).orElse(Long.MAX_VALUE);
        long above = field(stat, inherited, 1).orElse(Long.MAX_VALUE);
        OptionalLong used = number(folder.resolve(prefix + "usage_in_bytes"));
        if (Math.min(own, above) >= NO_LIMIT || used.isEmpty()) {
            return Bound.NONE;
        }
        String name = own <= above
                ? "the limit in " + file
                : "the limit " + inherited.strip() + " in " + folder.resolve("memory.stat");
        return bound(Math.min(own, above), used.getAsLong() - droppable, absent, name);
    }

    /** memory.stat lags behind: more can be droppable than used. */
    private static Bound bound(long limit, long used, long absent, String name) {
        return new Bound(limit - Math.max(0, used) - absent, name + note(absent), limit);
    }

    /** {@return bytes that this process answers for and that are not in memory now} */
    private static long absent(long held, OptionalLong shared) {
        return shared.isEmpty() ? 0 : Math.max(0, held - shared.getAsLong());
    }

    private static String note(long absent) {
        return absent < 1 << 20
                ? ""
                : ", of which " + Bytes.text(absent) + " of shared buffers count that were punched or swapped out,";
    }

    private static Bound tighter(Bound one, Bound other) {
        return other.available() < one.available() ? other : one;
    }

    private static OptionalLong number(Path file) {
        return ProcFile.read(file).map(text -> parse(text.strip(), 1)).orElse(OptionalLong.empty());
    }

    /** The number behind a key that begins a line. */
    private static OptionalLong field(String text, String key, long unit) {
        int at = text.startsWith(key) ? 0 : text.indexOf("\n" + key) + 1;
        if (at == 0 && !text.startsWith(key)) {
            return OptionalLong.empty();
        }
        int end = text.indexOf('\n', at);
        String rest = text.substring(at + key.length(), end < 0 ? text.length() : end);
        return parse(rest.strip().split(" ")[0], unit);
    }

    private static OptionalLong parse(String text, long unit) {
        try {
            return OptionalLong.of(Math.multiplyExact(Long.parseLong(text), unit));
        } catch (NumberFormatException | ArithmeticException e) {
            return OptionalLong.empty(); // "max", which is no limit
        }
    }
}
