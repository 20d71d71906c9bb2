// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.IntConsumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;

class MemoryKindTest {
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
            assertEquals(MemoryKind.MEMFD, MemoryKind.of(kernel, fd));
            assertTrue(MemoryKind.isMemory(kernel, fd));
        });
    }

    @Test
    void a_memfd_on_huge_pages_is_recognised_by_its_file_system() {
        syscalls.answer("fileSystem", MemoryKind.HUGETLBFS_MAGIC);
        withMemfd(fd -> assertEquals(MemoryKind.HUGE_MEMFD, MemoryKind.of(kernel, fd)));
    }

    @Test
    void a_file_is_other_and_its_file_system_is_not_asked() {
        withFile(fd -> {
            assertEquals(MemoryKind.OTHER, MemoryKind.of(kernel, fd));
            assertFalse(MemoryKind.isMemory(kernel, fd));
        });
        assertEquals(0, syscalls.count("fileSystem"));
    }

    @Test
    void a_dma_buf_is_memory() {
        syscalls.answer("isDmaBuf", 1);
        withFile(fd -> {
            assertEquals(MemoryKind.DMA_BUF, MemoryKind.of(kernel, fd));
            assertTrue(MemoryKind.isMemory(kernel, fd));
        });
    }

    @Test
    void a_descriptor_of_unknown_kind_is_refused_and_does_not_count_as_memory() {
        syscalls.answer("isDmaBuf", -Errno.EMFILE.number());
        withFile(fd -> {
            HeapException refusal = assertThrows(HeapException.class, () -> MemoryKind.of(kernel, fd));
            assertEquals(Errno.EMFILE, refusal.errno());
            assertFalse(MemoryKind.isMemory(kernel, fd));
        });
        syscalls.answer("fileSystem", (long) -Errno.ENOMEM.number());
        withMemfd(fd -> assertThrows(HeapException.class, () -> MemoryKind.of(kernel, fd)));
    }
}
