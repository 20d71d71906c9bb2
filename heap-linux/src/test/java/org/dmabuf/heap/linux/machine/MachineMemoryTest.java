// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests on a tree of files that looks like /proc and /sys/fs/cgroup. */
class MachineMemoryTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path tree;

    private Path proc;
    private Path mount;

    @BeforeEach
    void a_machine_with_1_gib_available() throws IOException {
        proc = tree.resolve("proc");
        mount = tree.resolve("cgroup");
        write(proc.resolve("meminfo"), """
                MemTotal:        4194304 kB
                MemFree:          204800 kB
                MemAvailable:    1048576 kB
                Buffers:            2048 kB
                """);
        mounted("/");
    }

    /** Mounts both versions, each with a cgroup at the top. */
    private void mounted(String root) throws IOException {
        write(proc.resolve("self/mountinfo"), mountOfSecond(root, mount) + mountOfFirst(root, mount.resolve("memory")));
    }

    private static String mountOfSecond(String root, Path point) {
        return "37 30 0:34 " + root + " " + point + " rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    }

    private static String mountOfFirst(String root, Path point) {
        return "33 30 0:30 / " + point + "-not rw - cgroup cgroup rw,cpu\n34 30 0:31 " + root + " " + point
                + " rw - cgroup cgroup rw,cpuacct,memory\n";
    }

    private void inCgroup(String lines) throws IOException {
        write(proc.resolve("self/cgroup"), lines);
    }

    private void limit2(String folder, String max, long current, long inactiveFile) throws IOException {
        write(mount.resolve(folder).resolve("memory.max"), max + "\n");
        write(mount.resolve(folder).resolve("memory.current"), current + "\n");
        write(
                mount.resolve(folder).resolve("memory.stat"),
                "anon 4096\ninactive_file_other 1\ninactive_file " + inactiveFile + "\nactive_file 99\n");
    }

    private void limit1(String folder, long limit, long usage, long inactiveFile) throws IOException {
        write(mount.resolve("memory/" + folder).resolve("memory.limit_in_bytes"), limit + "\n");
        write(mount.resolve("memory/" + folder).resolve("memory.usage_in_bytes"), usage + "\n");
        write(
                mount.resolve("memory/" + folder).resolve("memory.stat"),
                "inactive_file 1\ntotal_inactive_file " + inactiveFile + "\n");
    }

    /** {@return the lowest bound, for a process that has this many bytes of shareable memory} */
    private static MachineMemory.Bound read(MachineMemory memory, long held) {
        MachineMemory.Reading reading = memory.read(held);
        return reading.cgroup().available() < reading.machine().available() ? reading.cgroup() : reading.machine();
    }

    private MachineMemory.Bound read(long held) {
        return read(memory(), held);
    }

    private MachineMemory.Bound read() {
        return read(0);
    }

    private MachineMemory memory() {
        return new MachineMemory(proc, () -> CgroupId.UNKNOWN);
    }

    @Test
    void without_cgroups_the_machines_memory_counts() {
        assertEquals(1024 * MIB, read().available());
        assertEquals("the machine's MemAvailable", read().limit());
    }

    @Test
    void memory_that_is_reserved_for_contiguous_buffers_is_not_available_to_others() throws IOException {
        String meminfo = Files.readString(proc.resolve("meminfo"));
        write(proc.resolve("meminfo"), meminfo + "CmaTotal:         262144 kB\nCmaFree:          131072 kB\n");
        assertEquals(896 * MIB, read().available());
        assertEquals("the machine's MemAvailable less its CmaFree", read().limit());

        write(proc.resolve("meminfo"), meminfo + "CmaTotal:        4194304 kB\nCmaFree:         2097152 kB\n");
        assertEquals(0, read().available());
    }

    @Test
    void without_contiguous_memory_all_available_memory_counts() throws IOException {
        String meminfo = Files.readString(proc.resolve("meminfo"));
        write(proc.resolve("meminfo"), meminfo + "CmaTotal:              0 kB\nCmaFree:               0 kB\n");
        assertEquals(1024 * MIB, read().available());
        assertEquals("the machine's MemAvailable", read().limit());
    }

    @Test
    void a_limit_of_the_processs_cgroup_applies() throws IOException {
        inCgroup("0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 200 * MIB, 0);
        assertEquals(312 * MIB, read().available());
        assertEquals("the limit in " + mount.resolve("gateway/memory.max"), read().limit());
    }

    @Test
    void the_lowest_of_nested_limits_applies() throws IOException {
        inCgroup("0::/slice/gateway.service/child\n");
        limit2("slice", "" + 512 * MIB, 500 * MIB, 0);
        limit2("slice/gateway.service", "" + 256 * MIB, 100 * MIB, 0);
        limit2("slice/gateway.service/child", "max", 100 * MIB, 0);
        assertEquals(12 * MIB, read().available());
        assertEquals("the limit in " + mount.resolve("slice/memory.max"), read().limit());
    }

    @Test
    void a_limit_at_the_top_applies_as_in_a_container() throws IOException {
        inCgroup("0::/\n");
        limit2("", "" + 512 * MIB, 12 * MIB, 0);
        assertEquals(500 * MIB, read().available());
    }

    @Test
    void in_a_container_that_shows_the_hosts_path_the_limit_at_the_top_applies() throws IOException {
        mounted("/docker/0123456789abcdef");
        inCgroup("0::/docker/0123456789abcdef\n");
        limit2("", "" + 512 * MIB, 12 * MIB, 0);
        assertEquals(500 * MIB, read().available());
    }

    @Test
    void max_means_no_limit() throws IOException {
        inCgroup("0::/gateway\n");
        limit2("gateway", "max", 200 * MIB, 0);
        assertEquals(1024 * MIB, read().available());
    }

    @Test
    void page_cache_that_can_be_dropped_does_not_count_as_used() throws IOException {
        inCgroup("0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 500 * MIB, 100 * MIB);
        assertEquals(112 * MIB, read().available());
    }

    @Test
    void a_cgroup_above_its_limit_has_a_negative_rest() throws IOException {
        inCgroup("0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 600 * MIB, 0);
        assertEquals(-88 * MIB, read().available());
    }

    @Test
    void limits_of_cgroups_of_version_1_apply_too() throws IOException {
        inCgroup("3:cpuset:/elsewhere\n2:cpu,memory:/slice/gateway\n0::/\n");
        limit1("slice", 512 * MIB, 500 * MIB, 100 * MIB);
        limit1("slice/gateway", 256 * MIB, 100 * MIB, 0);
        assertEquals(112 * MIB, read().available());
        assertEquals("the limit in " + mount.resolve("memory/slice/memory.limit_in_bytes"), read().limit());
    }

    @Test
    void the_number_for_no_limit_of_version_1_means_no_limit() throws IOException {
        inCgroup("2:memory:/gateway\n");
        limit1("gateway", Long.MAX_VALUE - 4095, 5 * MIB, MIB);
        assertEquals(1024 * MIB, read().available());
    }

    @Test
    void outdated_page_cache_figures_add_no_memory() throws IOException {
        inCgroup("2:memory:/gateway\n");
        // The cache was dropped, but memory.stat still shows it.
        limit1("gateway", Long.MAX_VALUE - 4095, 5 * MIB, 100 * MIB);
        assertEquals(1024 * MIB, read().available());
        limit1("gateway", 50 * MIB, 5 * MIB, 100 * MIB);
        assertEquals(50 * MIB, read().available());
    }

    @Test
    void a_removed_cgroup_has_no_limit() throws IOException {
        inCgroup("0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 200 * MIB, 0);
        MachineMemory memory = memory();
        assertEquals(312 * MIB, read(memory, 0).available());
        Files.delete(mount.resolve("gateway/memory.current"));
        assertEquals(1024 * MIB, read(memory, 0).available());
    }

    @Test
    void figures_are_read_each_time() throws IOException {
        inCgroup("0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 200 * MIB, 0);
        MachineMemory memory = memory();
        memory.read(0);
        limit2("gateway", "" + 512 * MIB, 300 * MIB, 0);
        assertEquals(212 * MIB, read(memory, 0).available());
    }

    @Test
    void malformed_lines_are_ignored() throws IOException {
        inCgroup("nonsense\n\n0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 200 * MIB, 0);
        write(mount.resolve("gateway/memory.stat"), "inactive_file many\n");
        assertEquals(312 * MIB, read().available());
    }

    private void second(String folder, String file, Object content) throws IOException {
        write(mount.resolve(folder).resolve(file), content + "\n");
    }

    private void first(String folder, String file, Object content) throws IOException {
        write(mount.resolve("memory/" + folder).resolve(file), content + "\n");
    }

    @Test
    void the_lower_of_max_and_high_applies_and_is_named() throws IOException {
        inCgroup("0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 200 * MIB, 0);
        second("gateway", "memory.high", 300 * MIB);
        assertEquals(100 * MIB, read().available());
        assertEquals("the limit in " + mount.resolve("gateway/memory.high"), read().limit());
        assertEquals(300 * MIB, read().size());
        second("gateway", "memory.high", "max");
        assertEquals(312 * MIB, read().available());
        second("gateway", "memory.high", 600 * MIB);
        assertEquals("the limit in " + mount.resolve("gateway/memory.max"), read().limit());
    }

    @Test
    void high_alone_applies_at_each_level() throws IOException {
        inCgroup("0::/slice/gateway\n");
        limit2("slice", "max", 400 * MIB, 0);
        second("slice", "memory.high", 500 * MIB);
        limit2("slice/gateway", "max", 400 * MIB, 0);
        second("slice/gateway", "memory.high", "max");
        assertEquals(100 * MIB, read().available());
        assertEquals("the limit in " + mount.resolve("slice/memory.high"), read().limit());
    }

    @Test
    void shared_memory_that_a_peer_punched_counts_as_used() throws IOException {
        inCgroup("0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 210 * MIB, 0);
        second("gateway", "memory.stat", "anon 1\nshmem " + 10 * MIB + "\nshmem_thp 0");
        assertEquals(302 * MIB, read(0).available());
        assertEquals(302 * MIB, read(10 * MIB).available());
        MachineMemory.Bound punched = read(210 * MIB);
        assertEquals(102 * MIB, punched.available());
        assertEquals(
                "the limit in " + mount.resolve("gateway/memory.max") + ", with 200 MiB of punched or swapped-out"
                        + " shared buffers counted as used,",
                punched.limit());
    }

    @Test
    void punched_memory_counts_as_used_in_version_1_too() throws IOException {
        inCgroup("4:memory:/gateway\n");
        limit1("gateway", 512 * MIB, 210 * MIB, 0);
        first("gateway", "memory.stat", "shmem 0\ntotal_inactive_file 0\ntotal_shmem " + 10 * MIB);
        assertEquals(302 * MIB, read(10 * MIB).available());
        assertEquals(102 * MIB, read(210 * MIB).available());
    }

    @Test
    void without_a_figure_of_shared_memory_the_other_figures_are_used_unchanged() throws IOException {
        inCgroup("4:memory:/gateway\n");
        limit1("gateway", 512 * MIB, 210 * MIB, 0);
        assertEquals(302 * MIB, read(200 * MIB).available());
    }

    @Test
    void shared_memory_of_the_machine_is_compared_in_the_same_way() throws IOException {
        write(proc.resolve("meminfo"), "MemAvailable: 1048576 kB\nShmem:   102400 kB\nShmemHugePages: 0 kB\n");
        assertEquals(1024 * MIB, read(100 * MIB).available());
        assertEquals(1014 * MIB, read(110 * MIB).available());
        assertEquals(-976 * MIB, read(2100 * MIB).available());
    }

    @Test
    void the_limit_of_memory_and_swap_of_version_1_applies() throws IOException {
        inCgroup("4:memory:/gateway\n");
        limit1("gateway", 512 * MIB, 100 * MIB, 0);
        first("gateway", "memory.memsw.limit_in_bytes", 512 * MIB);
        first("gateway", "memory.memsw.usage_in_bytes", 500 * MIB);
        assertEquals(12 * MIB, read().available());
        assertEquals("the limit in " + mount.resolve("memory/gateway/memory.memsw.limit_in_bytes"), read().limit());
    }

    @Test
    void a_limit_above_the_mount_is_known_in_version_1() throws IOException {
        inCgroup("4:memory:/\n");
        limit1("", Long.MAX_VALUE - 4095, 100 * MIB, 0);
        first("", "memory.stat", "total_inactive_file 0\nhierarchical_memory_limit " + 128 * MIB);
        assertEquals(28 * MIB, read().available());
        assertEquals("the limit hierarchical_memory_limit in " + mount.resolve("memory/memory.stat"), read().limit());
    }

    @Test
    void a_limit_in_a_container_is_reported_with_a_hint_at_limits_above_it() throws IOException {
        inCgroup("0::/\n");
        limit2("", "" + 512 * MIB, 12 * MIB, 0);
        List<String> lines = RecordedLog.of(
                MachineMemory.class,
                () -> assertEquals(
                        "the limit in " + mount.resolve("memory.max")
                                + " (limits are known up to the namespace's root, " + mount + ")",
                        read().limit()));
        assertEquals(List.of(), lines);
    }

    @Test
    void a_moved_process_is_under_the_limits_of_its_present_cgroup() throws IOException {
        limit2("one", "" + 512 * MIB, 0, 0);
        limit2("two", "" + 256 * MIB, 0, 0);
        inCgroup("0::/one\n");
        MachineMemory memory = memory();
        assertEquals(512 * MIB, read(memory, 0).available());
        inCgroup("0::/two\n");
        assertEquals(256 * MIB, read(memory, 0).available());
    }

    /** The host's tree in a namespace whose root is two levels further down, so that the names between are hidden. */
    @Test
    void a_hidden_path_is_found_by_the_list_of_processes() throws IOException {
        mounted("/../..");
        inCgroup("0::/\n");
        limit2("slice", "" + 512 * MIB, 12 * MIB, 0);
        limit2("slice/gateway", "" + 256 * MIB, 12 * MIB, 0);
        limit2("slice/other", "" + 128 * MIB, 0, 0);
        second("slice/other", "cgroup.procs", "1\n2");
        second("slice/gateway", "cgroup.procs", "1\n" + ProcessHandle.current().pid());
        assertEquals(244 * MIB, read().available());
        inCgroup("4:memory:/\n0::/\n");
        limit1("slice/gateway", 128 * MIB, 12 * MIB, 0);
        first("slice/gateway", "cgroup.procs", ProcessHandle.current().pid());
        assertEquals(116 * MIB, read().available());
    }

    @Test
    void a_hidden_path_is_found_by_the_inode_if_the_kernel_reports_it() throws IOException {
        mounted("/../..");
        inCgroup("0::/\n");
        limit2("slice/gateway", "" + 256 * MIB, 12 * MIB, 0);
        long inode = (long) Files.getAttribute(mount.resolve("slice/gateway"), "unix:ino");
        assertEquals(244 * MIB, read(new MachineMemory(proc, () -> inode), 0).available());
        // A name that matches by chance does not override the inode.
        mounted("/");
        inCgroup("0::/decoy\n");
        limit2("decoy", "" + 128 * MIB, 0, 0);
        assertEquals(244 * MIB, read(new MachineMemory(proc, () -> inode), 0).available());
    }

    @Test
    void a_process_beside_the_namespace_s_root_is_found_where_the_mount_shows_it() throws IOException {
        mounted("/..");
        inCgroup("0::/../b\n");
        limit2("b", "" + 256 * MIB, 0, 0);
        assertEquals(256 * MIB, read().available());
    }

    @Test
    void a_process_outside_all_mounts_is_reported_once_with_the_remedy() throws IOException {
        inCgroup("0::/../b\n");
        limit2("", "" + 128 * MIB, 0, 0); // the cgroup that the process left
        MachineMemory memory = memory();
        List<String> lines = RecordedLog.of(MachineMemory.class, () -> {
            assertEquals(1024 * MIB, read(memory, 0).available());
            read(memory, 0);
        });
        assertEquals(1, lines.size(), lines::toString);
        assertTrue(
                lines.getFirst()
                        .startsWith("the memory limit of this process's cgroup, /../b in"
                                + " /proc/self/cgroup, is unknown: no mount of cgroups contains it"),
                lines::toString);
        assertTrue(lines.getFirst().contains("; mount the cgroup file system"), lines::toString);
    }

    @Test
    void a_path_without_a_folder_is_under_the_limits_above_it() throws IOException {
        inCgroup("0::/gone/gateway\n");
        limit2("", "" + 128 * MIB, 0, 0);
        List<String> lines = RecordedLog.of(MachineMemory.class, () -> assertEquals(128 * MIB, read().available()));
        assertEquals(1, lines.size(), lines::toString);
    }

    @Test
    void mounts_are_read_from_the_kernels_list() throws IOException {
        Path unified = tree.resolve("a b");
        write(
                proc.resolve("self/mountinfo"),
                mountOfFirst("/", mount.resolve("memory"))
                        + mountOfSecond("/elsewhere", mount)
                        + mountOfSecond("/docker/x", Path.of(unified.toString().replace(" ", "\\040"))));
        inCgroup("0::/docker/x/gateway\n");
        write(unified.resolve("gateway/memory.max"), "" + 256 * MIB);
        write(unified.resolve("gateway/memory.current"), "0");
        assertEquals(256 * MIB, read().available());
    }

    @Test
    void on_a_hybrid_host_version_1_has_the_limits() throws IOException {
        inCgroup("9:name=systemd:/\n4:memory:/gateway\n0::/../b\n");
        limit1("gateway", 256 * MIB, 0, 0);
        List<String> lines = RecordedLog.of(MachineMemory.class, () -> assertEquals(256 * MIB, read().available()));
        assertEquals(List.of(), lines);
    }

    @Test
    void no_warning_is_logged_on_a_kernel_without_memory_cgroups() throws IOException {
        inCgroup("9:name=systemd:/\n");
        Files.delete(proc.resolve("self/mountinfo"));
        List<String> lines = RecordedLog.of(MachineMemory.class, () -> assertEquals(1024 * MIB, read().available()));
        assertEquals(List.of(), lines);
    }

    @Test
    void the_cgroup_of_this_process_is_found_as_the_kernel_lists_it() throws IOException {
        String membership = Files.readString(Path.of("/proc/self/cgroup"));
        OwnCgroup cgroup = OwnCgroup.locate(Path.of("/proc"), membership, CgroupId::ofThisProcess);
        assertEquals("", cgroup.doubt());
        if (!cgroup.levels().isEmpty()) {
            List<String> listed = Files.readAllLines(cgroup.levels().getFirst().resolve("cgroup.procs"));
            assertTrue(listed.contains(Long.toString(ProcessHandle.current().pid())), cgroup::toString);
        }
    }

    @Test
    void without_meminfo_the_free_memory_counts_and_is_not_zero() throws IOException {
        Files.delete(proc.resolve("meminfo"));
        MachineMemory hidden = hidden(Optional.of(new SystemMemory(4096 * MIB, 200 * MIB, 50 * MIB)));
        assertEquals(200 * MIB, read(hidden, 0).available());
        assertEquals(170 * MIB, read(hidden, 80 * MIB).available(), "30 MiB of the held memory have no pages");
        assertTrue(
                read(hidden, 0).limit().contains("ProcSubset=all"),
                read(hidden, 0).limit());
        assertEquals(4096 * MIB, hidden.total());
    }

    @Test
    void a_meminfo_without_the_figure_counts_as_hidden() throws IOException {
        write(proc.resolve("meminfo"), "MemTotal:        4194304 kB\n");
        MachineMemory hidden = hidden(Optional.of(new SystemMemory(1, 200 * MIB, 0)));
        assertEquals(200 * MIB, read(hidden, 0).available());
        assertEquals(4096 * MIB, hidden.total());
    }

    @Test
    void unknown_memory_is_not_zero() throws IOException {
        Files.delete(proc.resolve("meminfo"));
        inCgroup("0::/gateway\n");
        limit2("gateway", "" + 512 * MIB, 0, 0);
        MachineMemory unknown = hidden(Optional.empty());
        assertEquals(MachineMemory.Bound.NONE, unknown.read(0).machine());
        assertEquals(512 * MIB, unknown.read(0).cgroup().available());
    }

    private MachineMemory hidden(Optional<SystemMemory> system) {
        return new MachineMemory(proc, () -> CgroupId.UNKNOWN, () -> system);
    }

    @Test
    void the_kernel_reports_its_memory_without_proc() {
        SystemMemory memory = SystemMemory.read().orElseThrow();
        // lxcfs shows the limit of the container in /proc, which is at most the machine's memory
        long shown = new MachineMemory().total();
        assertTrue(shown > 0 && shown <= memory.total(), memory::toString);
        assertTrue(memory.free() > 0 && memory.free() < memory.total(), memory::toString);
        assertTrue(memory.shared() >= 0 && memory.shared() < memory.total(), memory::toString);
    }

    @Test
    void strict_overcommit_limits_what_can_be_promised() throws IOException {
        String meminfo = Files.readString(proc.resolve("meminfo"));
        write(proc.resolve("meminfo"), meminfo + "CommitLimit:      819200 kB\nCommitted_AS:     512000 kB\n");
        for (String heuristic : List.of("0\n", "1\n")) {
            write(proc.resolve("sys/vm/overcommit_memory"), heuristic);
            assertEquals(1024 * MIB, read().available());
        }
        write(proc.resolve("sys/vm/overcommit_memory"), "2\n");
        assertEquals(300 * MIB, read().available());
        assertTrue(read().limit().contains("vm.overcommit_ratio"), read().limit());

        write(proc.resolve("meminfo"), meminfo + "CommitLimit:     8388608 kB\nCommitted_AS:          0 kB\n");
        assertEquals("the machine's MemAvailable", read().limit());
    }

    @Test
    void this_machine_can_be_read() {
        assertTrue(read(new MachineMemory(), 0).available() > 0);
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
