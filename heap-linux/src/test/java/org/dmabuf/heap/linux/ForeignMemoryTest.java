// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.IntConsumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.junit.jupiter.api.Test;

class ForeignMemoryTest {
    private final CountedSyscalls syscalls = new CountedSyscalls();
    private final Syscalls kernel = syscalls.calling();

    private void withMemfd(IntConsumer look) {
        with(kernel.memfdCreate("peer", 0), look);
    }

    private void withFile(IntConsumer look) {
        with(kernel.open("/proc/self/status", Fcntl.O_RDONLY | Fcntl.O_CLOEXEC), look);
    }

    private void with(int fd, IntConsumer look) {
        assertTrue(fd >= 0);
        try {
            look.accept(fd);
        } finally {
            kernel.close(fd);
        }
    }

    @Test
    void a_memfd_is_memory() {
        withMemfd(fd -> {
            assertEquals(ForeignMemory.MEMFD, ForeignMemory.of(kernel, fd));
            assertTrue(ForeignMemory.isMemory(kernel, fd));
        });
    }

    @Test
    void a_memfd_on_huge_pages_is_told_by_its_file_system() {
        syscalls.answer("fileSystem", ForeignMemory.HUGETLBFS_MAGIC);
        withMemfd(fd -> assertEquals(ForeignMemory.HUGE_MEMFD, ForeignMemory.of(kernel, fd)));
    }

    @Test
    void a_file_is_other_and_its_file_system_is_not_asked() {
        withFile(fd -> {
            assertEquals(ForeignMemory.OTHER, ForeignMemory.of(kernel, fd));
            assertFalse(ForeignMemory.isMemory(kernel, fd));
        });
        assertEquals(0, syscalls.count("fileSystem"));
    }

    @Test
    void a_dma_buf_is_memory() {
        syscalls.answer("isDmaBuf", 1);
        withFile(fd -> {
            assertEquals(ForeignMemory.DMA_BUF, ForeignMemory.of(kernel, fd));
            assertTrue(ForeignMemory.isMemory(kernel, fd));
        });
    }

    @Test
    void what_cannot_be_found_out_is_refused_and_counts_as_no_memory() {
        syscalls.answer("isDmaBuf", -Errno.EMFILE.number());
        withFile(fd -> {
            HeapException refusal = assertThrows(HeapException.class, () -> ForeignMemory.of(kernel, fd));
            assertEquals(Errno.EMFILE, refusal.errno());
            assertFalse(ForeignMemory.isMemory(kernel, fd));
        });
        syscalls.answer("fileSystem", (long) -Errno.ENOMEM.number());
        withMemfd(fd -> assertThrows(HeapException.class, () -> ForeignMemory.of(kernel, fd)));
    }
}
