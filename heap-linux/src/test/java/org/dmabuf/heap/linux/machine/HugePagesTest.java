// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HugePagesTest {
    private static final long MIB = 1 << 20;
    private static final long PAGE = 2 * MIB;

    @TempDir
    private Path pools;

    @BeforeEach
    void a_machine_with_20_pages_of_2_mib_of_which_10_are_free() throws IOException {
        pool("hugepages-2048kB", 20, 12, 2);
        pool("hugepages-1048576kB", 0, 0, 0);
        defaultSize(2048);
    }

    private void defaultSize(int kib) throws IOException {
        Files.writeString(
                pools.resolve("meminfo"),
                "HugePages_Surp:        0\nHugepagesize:   %8d kB\nHugetlb: 0 kB\n".formatted(kib));
    }

    private void pool(String name, int all, int free, int promised) throws IOException {
        Path pool = Files.createDirectory(pools.resolve(name));
        Files.writeString(pool.resolve("nr_hugepages"), all + "\n");
        Files.writeString(pool.resolve("free_hugepages"), free + "\n");
        Files.writeString(pool.resolve("resv_hugepages"), promised + "\n");
    }

    private HeapException refusal(long size, long pageSize) {
        HugePages machine = new HugePages(pools, pools);
        return assertThrows(HeapException.class, () -> machine.require("camera", size, pageSize, " (1 GiB stays)"));
    }

    @Test
    void pages_of_the_pool_are_granted() {
        new HugePages(pools, pools).require("camera", 10 * PAGE, PAGE, "");
    }

    @Test
    void missing_pages_are_counted_and_the_remedy_is_reported() {
        HeapException refusal = refusal(16 * PAGE, PAGE);
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(
                "heap 'camera': 33554432 bytes take 16 huge pages of 2 MiB, and 10 of 20 are free: 6 are"
                        + " missing (1 GiB stays); write 26 into " + pools + "/hugepages-2048kB/nr_hugepages"
                        + " (vm.nr_hugepages), or reserve them at boot (hugepagesz=2M hugepages=26)",
                refusal.getMessage());
        assertEquals(
                "heap 'camera': 1073741824 bytes take 1 huge page of 1 GiB, and 0 of 0 are free: 1 is"
                        + " missing (1 GiB stays); write 1 into " + pools + "/hugepages-1048576kB/nr_hugepages, or"
                        + " reserve them at boot (hugepagesz=1G hugepages=1)",
                refusal(1L << 30, 1L << 30).getMessage());
    }

    /** Default sizes on arm64 with pages of 16 KiB and 64 KiB. */
    @ParameterizedTest
    @CsvSource({"32768, 32M", "524288, 512M"})
    void the_setting_of_the_kernel_is_named_only_for_pages_of_its_default_size(int kib, String size)
            throws IOException {
        defaultSize(kib);
        pool("hugepages-" + kib + "kB", 0, 0, 0);
        String remedy = "; write 1 into " + pools + "/hugepages-" + kib + "kB/nr_hugepages (vm.nr_hugepages), or"
                + " reserve them at boot (hugepagesz=" + size + " hugepages=1)";
        String refused = refusal((long) kib << 10, (long) kib << 10).getMessage();
        assertTrue(refused.endsWith(remedy), refused);
        assertFalse(refusal(16 * PAGE, PAGE).getMessage().contains("vm.nr_hugepages"));
    }

    @Test
    void without_a_default_size_only_the_file_of_the_pool_is_named() throws IOException {
        Files.delete(pools.resolve("meminfo"));
        assertFalse(refusal(16 * PAGE, PAGE).getMessage().contains("vm.nr_hugepages"));
    }

    @Test
    void unknown_page_sizes_are_refused_with_the_known_ones() {
        HeapException refusal = refusal(16 * MIB, MIB);
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(
                "heap 'camera': this machine has no pages of 1 MiB; it has " + Bytes.text(Bytes.PAGE)
                        + ", 2 MiB, 1 GiB",
                refusal.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "true  | - cgroup2 cgroup2 rw,nsdelegate,memory_hugetlb_accounting |",
                "false | - cgroup2 cgroup2 rw,nsdelegate |",
                "false | nothing |",
                "false | - tmpfs memory_hugetlb_accounting rw |",
                "false | - cgroup2 none rw,memory_hugetlb_accounting | - cgroup cgroup rw,memory",
                "true  | - cgroup2 none rw,memory_hugetlb_accounting | - cgroup cgroup rw,cpu,cpuacct",
            })
    void they_are_charged_if_cgroups_of_version_2_are_mounted_that_way(boolean charged, String first, String second)
            throws IOException {
        Path mounts = Files.createDirectory(pools.resolve("self")).resolve("mountinfo");
        String before = "36 34 0:30 / /sys/fs/cgroup rw,relatime ";
        Files.writeString(mounts, before + first + "\n" + (second == null ? "" : before + second + "\n"));
        assertEquals(charged, new HugePages(pools, pools).areCharged());
    }

    @Test
    void without_a_list_of_mounts_they_are_not_charged() throws IOException {
        assertEquals(false, new HugePages(pools, pools).areCharged());
        Files.createFile(Files.createDirectory(pools.resolve("self")).resolve("mountinfo"));
        assertEquals(false, new HugePages(pools, pools).areCharged());
    }
}
