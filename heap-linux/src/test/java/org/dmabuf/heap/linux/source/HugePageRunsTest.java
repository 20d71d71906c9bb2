// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HugePageRunsTest {
    private final HugePageRuns runs =
            new HugePageRuns("contig", Syscalls.linux(), Headroom.machine(), HugePages.ofTheMachine());

    @ParameterizedTest
    @EnumSource(names = {"EBADFD", "EINVAL"})
    void a_kernel_that_makes_no_dma_buf_of_huge_pages_is_no_shortage(Errno errno) {
        HeapException refusal = runs.notPinned(HeapException.of(errno, "contig", "udmabuf refused"));
        assertEquals(Errno.ENOTSUP, refusal.errno());
        assertEquals(
                "heap 'contig': udmabuf refused; before Linux 6.11 the kernel may make no dma-buf of huge pages: use"
                        + " back end large-folio",
                refusal.getMessage());
    }

    @ParameterizedTest
    @EnumSource(names = {"ENOMEM", "EMFILE"})
    void a_shortage_stays_one(Errno errno) {
        HeapException shortage = HeapException.of(errno, "contig", "short");
        assertSame(shortage, runs.notPinned(shortage));
    }
}
