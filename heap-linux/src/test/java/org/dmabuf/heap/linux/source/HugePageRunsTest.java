// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.kernel.PhysicalRun;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of runs on huge pages, on any machine: the memfd has ordinary pages, and the pool is a fake. */
class HugePageRunsTest {
    private static final int ALL_HUGE_FLAGS = Memfd.MFD_HUGETLB | 0x3f << 26;

    /** Bytes that the cgroup has left. The machine has none: huge pages are set aside already. */
    private long cgroup;

    /** Error of memfd_create; null for none. */
    private Errno refused;

    @TempDir
    private Path machine;

    private final Headroom headroom = MadeUpHeadroom.of(() -> 0, () -> cgroup, () -> 0);
    private final Syscalls kernel = (Syscalls) Proxy.newProxyInstance(
            Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (_, method, arguments) -> {
                if (method.getName().equals("memfdCreate")) {
                    if (refused != null) {
                        return -refused.number();
                    }
                    arguments[1] = (int) arguments[1] & ~ALL_HUGE_FLAGS;
                }
                return method.invoke(Syscalls.linux(), arguments);
            });

    @BeforeEach
    void create_a_pool_of_huge_pages() throws IOException {
        Path pool = Files.createDirectory(machine.resolve("hugepages-2048kB"));
        Files.writeString(pool.resolve("nr_hugepages"), "2\n");
        Files.writeString(pool.resolve("free_hugepages"), "2\n");
        Files.writeString(pool.resolve("resv_hugepages"), "0\n");
    }

    private HugePageRuns runs() {
        return new HugePageRuns("contig", kernel, headroom, new HugePages(machine, machine));
    }

    private void charge() throws IOException {
        Path mounts = Files.createDirectory(machine.resolve("self")).resolve("mountinfo");
        Files.writeString(mounts, "36 34 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,memory_hugetlb_accounting\n");
    }

    private static void make(HugePageRuns runs) {
        NewMemfd made = runs.make("frame");
        assertEquals(0, made.inLargeFolios());
        assertEquals(PhysicalRun.BYTES, Syscalls.linux().allocated(made.fd()));
        Syscalls.linux().close(made.fd());
    }

    @Test
    void pages_that_are_charged_to_the_cgroup_must_fit_below_its_limit() throws IOException {
        charge();
        HugePageRuns runs = runs();
        cgroup = PhysicalRun.BYTES - 1;
        HeapException shortage = assertThrows(HeapException.class, () -> runs.make("frame"));
        assertEquals(Errno.ENOMEM, shortage.errno());
        assertTrue(shortage.getMessage().contains("a fictitious cgroup"), shortage.getMessage());
        cgroup = PhysicalRun.BYTES;
        make(runs);
    }

    @Test
    void a_charge_ends_if_the_kernel_provides_no_page() throws IOException {
        charge();
        HugePageRuns runs = runs();
        cgroup = PhysicalRun.BYTES;
        refused = Errno.ENOMEM;
        HeapException shortage = assertThrows(HeapException.class, () -> runs.make("frame"));
        assertTrue(shortage.getMessage().contains("another process took them"), shortage.getMessage());
        refused = null;
        make(runs);
    }

    @Test
    void pages_that_are_not_charged_have_no_limit_but_their_pool() throws IOException {
        HugePageRuns runs = runs();
        make(runs);
        Files.writeString(machine.resolve("hugepages-2048kB/free_hugepages"), "0\n");
        HeapException shortage = assertThrows(HeapException.class, () -> runs.make("frame"));
        assertTrue(shortage.getMessage().contains("0 of 2 are free"), shortage.getMessage());
    }

    @ParameterizedTest
    @EnumSource(names = {"EBADFD", "EINVAL"})
    void a_kernel_that_makes_no_dma_buf_of_huge_pages_is_no_shortage(Errno errno) {
        HeapException changed = runs().notPinned(HeapException.of(errno, "contig", "udmabuf refused"));
        assertEquals(Errno.ENOTSUP, changed.errno());
        assertEquals(
                "heap 'contig': udmabuf refused; before Linux 6.11 the kernel may make no dma-buf of huge pages: use"
                        + " back end large-folio",
                changed.getMessage());
    }

    @ParameterizedTest
    @EnumSource(names = {"ENOMEM", "EMFILE"})
    void a_shortage_stays_one(Errno errno) {
        HeapException shortage = HeapException.of(errno, "contig", "short");
        assertSame(shortage, runs().notPinned(shortage));
    }
}
