// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests on a tree of files that looks like /proc and /sys/fs/cgroup. MachineMemoryTest checks the resulting limits. */
class OwnCgroupTest {
    @TempDir
    Path tree;

    private Path proc;
    private Path mount;

    @BeforeEach
    void plant() throws IOException {
        proc = tree.resolve("proc");
        mount = Files.createDirectories(tree.resolve("cgroup"));
        Files.createDirectories(proc.resolve("self"));
    }

    private Path folder(String name) throws IOException {
        return Files.createDirectories(mount.resolve(name));
    }

    private void mounts(String... lines) throws IOException {
        Files.writeString(proc.resolve("self/mountinfo"), String.join("\n", lines) + "\n");
    }

    private String second(String root, Path point, String options) {
        return "37 30 0:34 " + root + " " + point + " rw shared:4 - cgroup2 cgroup2 " + options;
    }

    private String first(String root, Path point, String options) {
        return "33 30 0:30 " + root + " " + point + " rw - cgroup cgroup " + options;
    }

    private OwnCgroup locate(String membership) {
        return OwnCgroup.locate(proc, membership, () -> CgroupId.UNKNOWN);
    }

    private static void assertFound(OwnCgroup found, boolean second, List<Path> levels) {
        assertEquals("", found.doubt());
        assertEquals(second, found.secondVersion());
        assertEquals(levels, found.levels());
    }

    @Test
    void the_levels_lead_from_the_own_directory_to_the_mount() throws IOException {
        Path own = folder("slice/gateway");
        mounts(second("/", mount, "rw"));
        assertFound(locate("0::/slice/gateway\n"), true, List.of(own, mount.resolve("slice"), mount));
    }

    @Test
    void a_mount_of_a_cgroup_below_the_root_hides_the_names_above_it() throws IOException {
        Path own = folder("gateway");
        mounts(second("/slice", mount, "rw"));
        assertFound(locate("0::/slice/gateway\n"), true, List.of(own, mount));
    }

    @Test
    void version_1_is_used_if_it_has_the_memory_controller() throws IOException {
        Path own = folder("gateway");
        mounts(second("/", tree.resolve("unified"), "rw"), first("/", mount, "rw,cpuacct,memory"));
        assertFound(locate("5:cpuacct,memory:/gateway\n0::/other\n"), false, List.of(own, mount));
    }

    @Test
    void the_last_mount_on_a_folder_applies() throws IOException {
        Path own = folder("gateway");
        mounts(second("/elsewhere", mount, "rw"), second("/", mount, "rw"));
        assertFound(locate("0::/gateway\n"), true, List.of(own, mount));
        mounts(second("/", mount, "rw"), "38 30 0:35 / " + mount + " rw - tmpfs tmpfs rw");
        assertFalse(locate("0::/gateway\n").doubt().isEmpty());
    }

    @Test
    void names_escaped_by_the_kernel_are_decoded() throws IOException {
        mount = Files.createDirectories(tree.resolve("a b"));
        Path own = folder("gateway");
        mounts(second("/", tree.resolve("a\\040b"), "rw"));
        assertFound(locate("0::/gateway\n"), true, List.of(own, mount));
    }

    @Test
    void where_the_names_are_hidden_it_is_the_directory_of_the_inode_or_the_one_that_lists_this_process()
            throws IOException {
        folder("slice/other");
        Path own = folder("slice/gateway");
        List<Path> levels = List.of(own, mount.resolve("slice"), mount);
        mounts(second("/..", mount, "rw"));
        long inode = (long) Files.getAttribute(own, "unix:ino");
        assertFound(OwnCgroup.locate(proc, "0::/\n", () -> inode), true, levels);
        Files.writeString(mount.resolve("cgroup.procs"), "1\n");
        Files.writeString(
                own.resolve("cgroup.procs"), "1\n" + ProcessHandle.current().pid() + "\n");
        assertFound(locate("0::/\n"), true, levels);
    }

    @Test
    void a_cgroup_below_no_mount_is_in_doubt_and_those_above_it_still_count() throws IOException {
        mounts(second("/slice", mount, "rw"));
        OwnCgroup lost = locate("0::/slice/gateway\n");
        assertTrue(
                lost.doubt().startsWith("the memory limit of this process's cgroup, /slice/gateway in "), lost::doubt);
        assertEquals(List.of(mount), lost.levels());
        OwnCgroup elsewhere = locate("0::/other\n");
        assertFalse(elsewhere.doubt().isEmpty());
        assertEquals(List.of(), elsewhere.levels());
    }

    @Test
    void a_kernel_without_memory_cgroups_has_no_levels_and_no_doubt() {
        assertFound(locate("3:cpu:/\n"), true, List.of());
    }

    @Test
    void huge_pages_are_charged_if_version_2_is_mounted_with_that_option() throws IOException {
        assertFalse(OwnCgroup.chargesHugePages(proc), "without a list of mounts");
        mounts(second("/", mount, "rw"));
        assertFalse(OwnCgroup.chargesHugePages(proc));
        mounts(second("/", mount, "rw,memory_hugetlb_accounting"));
        assertTrue(OwnCgroup.chargesHugePages(proc));
        mounts(second("/", mount, "rw,memory_hugetlb_accounting"), first("/", tree.resolve("memory"), "rw,memory"));
        assertFalse(OwnCgroup.chargesHugePages(proc));
    }
}
