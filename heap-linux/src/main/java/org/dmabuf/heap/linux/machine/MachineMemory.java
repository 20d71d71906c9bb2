// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Reader of the memory that this process may still allocate: MemAvailable, and the limits of each cgroup above the
 * process, of version 2 or 1. Page cache that the kernel can drop does not count as used; otherwise reading a large
 * file would look like a loss of memory. Shareable memory counts with its existing pages or with the full size of this
 * process's buffers, whichever is larger. If /proc/meminfo is hidden, memory without any content counts instead of
 * MemAvailable. Under strict overcommit, memory that the machine has promised counts as used.
 *
 * <p>The cgroup is determined at the first reading, and again after the process was moved. One thread at a time may
 * call {@link #read}.
 */
public final class MachineMemory {
    private static final QuietLog LOG = new QuietLog(MachineMemory.class);

    /** Version 1 writes "no limit" as nearly 2^63. */
    private static final long NO_LIMIT = 1L << 62;

    private static final long STRICT_OVERCOMMIT = 2;

    /**
     * Snapshot of one limit.
     *
     * @param available remaining bytes; negative when more is used than the limit permits
     * @param limit name of the limit, for messages
     * @param size the limit in bytes
     */
    public record Bound(long available, String limit, long size) {
        /** No limit. The number exceeds any machine's memory, but does not overflow when grants are added. */
        public static final Bound NONE = new Bound(Long.MAX_VALUE / 2, "no limit", Long.MAX_VALUE);
    }

    /**
     * Snapshot of the limits.
     *
     * @param machine limit for all memory
     * @param cgroup lowest limit of the cgroups, to which not all memory is charged
     */
    public record Reading(Bound machine, Bound cgroup) {
        public Reading(long available, String limit) {
            this(new Bound(available, limit, Long.MAX_VALUE), Bound.NONE);
        }
    }

    private final Path proc;
    private final LongSupplier cgroupId;
    private final Supplier<Optional<SystemMemory>> system;
    private String membership = "";
    private OwnCgroup cgroup = new OwnCgroup(true, List.of(), "");

    public MachineMemory() {
        this(Path.of("/proc"), CgroupId::ofThisProcess);
    }

    /**
     * @param proc mount point of the proc file system
     * @param cgroupId returns the inode of the own cgroup's directory, or {@link CgroupId#UNKNOWN}
     */
    public MachineMemory(Path proc, LongSupplier cgroupId) {
        this(proc, cgroupId, SystemMemory::read);
    }

    MachineMemory(Path proc, LongSupplier cgroupId, Supplier<Optional<SystemMemory>> system) {
        this.proc = proc;
        this.cgroupId = cgroupId;
        this.system = system;
    }

    /**
     * Reads the limits.
     *
     * @param held bytes of shareable memory that count in full for this process
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left to read with
     */
    public Reading read(long held) {
        Bound machine = machine(held);
        String now = ProcFile.read(proc.resolve("self/cgroup")).orElse("");
        if (!now.equals(membership)) {
            OwnCgroup found = OwnCgroup.locate(proc, now, cgroupId);
            if (!found.doubt().isEmpty()) {
                LOG.warn("{}", found.doubt());
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
        if (figure.isEmpty()) {
            return system.get().map(memory -> free(memory, held)).orElse(Bound.NONE);
        }
        long available = figure.getAsLong();
        String limit = "the machine's MemAvailable";
        // MemAvailable includes memory that is reserved for contiguous buffers. Other contents there must be movable,
        // and memory for devices is not.
        long contiguous = field(meminfo, "CmaFree:", 1024).orElse(0);
        if (contiguous > 0) {
            available = Math.max(0, available - contiguous);
            limit += " less its CmaFree";
        }
        OptionalLong promised = promised(meminfo);
        if (promised.isPresent() && promised.getAsLong() < available) {
            available = promised.getAsLong();
            limit = "the machine's CommitLimit, which vm.overcommit_memory = 2 applies (raise vm.overcommit_ratio, or"
                    + " add swap)";
        }
        long absent = absent(held, field(meminfo, "Shmem:", 1024));
        return new Bound(available - absent, limit + note(absent), Long.MAX_VALUE);
    }

    private Bound free(SystemMemory memory, long held) {
        long absent = absent(held, OptionalLong.of(memory.shared()));
        String limit = "the machine's free memory, which counts instead of MemAvailable because "
                + proc.resolve("meminfo") + " is hidden (show all of /proc: ProcSubset=all in a unit)";
        return new Bound(memory.free() - absent, limit + note(absent), Long.MAX_VALUE);
    }

    /** {@return bytes that the machine may still promise; empty unless overcommit is strict} */
    private OptionalLong promised(String meminfo) {
        OptionalLong limit = field(meminfo, "CommitLimit:", 1024);
        OptionalLong used = field(meminfo, "Committed_AS:", 1024);
        return limit.isPresent()
                        && used.isPresent()
                        && number(proc.resolve("sys/vm/overcommit_memory")).orElse(0) == STRICT_OVERCOMMIT
                ? OptionalLong.of(limit.getAsLong() - used.getAsLong())
                : OptionalLong.empty();
    }

    /** {@return the machine's total memory in bytes; 0 when it cannot be read} */
    public long total() {
        OptionalLong shown = field(ProcFile.read(proc.resolve("meminfo")).orElse(""), "MemTotal:", 1024);
        return shown.isPresent()
                ? shown.getAsLong()
                : system.get().map(SystemMemory::total).orElse(0L);
    }

    private Bound second(Path folder, long held) {
        OptionalLong max = number(folder.resolve("memory.max"));
        OptionalLong high = number(folder.resolve("memory.high")); // above it the kernel stalls each thread
        OptionalLong used = number(folder.resolve("memory.current"));
        boolean byHigh = high.isPresent() && high.getAsLong() < max.orElse(Long.MAX_VALUE);
        OptionalLong limit = byHigh ? high : max;
        if (limit.isEmpty() || used.isEmpty()) {
            return Bound.NONE; // "max", or a removed cgroup
        }
        String stat = ProcFile.read(folder.resolve("memory.stat")).orElse("");
        long droppable = field(stat, "inactive_file ", 1).orElse(0);
        long absent = absent(held, field(stat, "shmem ", 1));
        String name = "the limit in " + folder.resolve(byHigh ? "memory.high" : "memory.max");
        return bound(limit.getAsLong(), used.getAsLong() - droppable, absent, name + upTo());
    }

    /**
     * Returns a remark about invisible limits. Only the root of all cgroups has no limit file; above the top of a
     * namespace nothing is visible.
     */
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

    /** The figure in memory.stat includes the limits of cgroups above that no mount shows. */
    private static Bound first(Path folder, String prefix, String stat, String inherited, long droppable, long absent) {
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

    /** Clamps the droppable memory, because memory.stat lags behind and can show more of it than is used. */
    private static Bound bound(long limit, long used, long absent, String name) {
        return new Bound(limit - Math.max(0, used) - absent, name + note(absent), limit);
    }

    /** {@return bytes that count for this process although their pages do not exist now} */
    private static long absent(long held, OptionalLong shared) {
        return shared.isEmpty() ? 0 : Math.max(0, held - shared.getAsLong());
    }

    private static String note(long absent) {
        return absent < 1 << 20
                ? ""
                : ", with " + Bytes.text(absent) + " of punched or swapped-out shared buffers counted as used,";
    }

    private static Bound tighter(Bound one, Bound other) {
        return other.available() < one.available() ? other : one;
    }

    private static OptionalLong number(Path file) {
        return ProcFile.read(file).map(text -> parse(text.strip(), 1)).orElse(OptionalLong.empty());
    }

    /** Returns the number after a key at the start of a line. */
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
            return OptionalLong.empty(); // "max": no limit
        }
    }
}
