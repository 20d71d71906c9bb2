// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;

/**
 * Tests of sealed memfds. The tests of the system heap contain its failures and check that these leave nothing behind.
 */
class MemfdTest {
    private static final int F_GET_SEALS = 1034;
    private static final int F_SEAL_EXEC = 0x20; // since 6.3, set by MFD_NOEXEC_SEAL

    private final Syscalls linux = Syscalls.linux();
    private final Memfd memfd = new Memfd(linux);

    private int sealsOfANewOne(int seals) {
        int fd = memfd.create("camera", "seals", Bytes.PAGE, seals);
        try {
            return linux.fcntl(fd, F_GET_SEALS, 0);
        } finally {
            linux.close(fd);
        }
    }

    private void assumeTheKernelKnowsNoexec() {
        int fd = linux.memfdCreate("noexec", Memfd.MFD_NOEXEC_SEAL);
        assumeTrue(fd >= 0, "skipped: this kernel is older than 6.3");
        linux.close(fd);
    }

    @Test
    void the_memory_is_allocated_and_its_size_is_sealed() throws IOException {
        int fd = memfd.create("camera", "frame", 3 * Bytes.PAGE, 0);
        try {
            Path path = Path.of("/proc/self/fd/" + fd);
            assertEquals(3 * Bytes.PAGE, Files.size(path));
            int fixedSize = Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_GROW;
            assertEquals(fixedSize, linux.fcntl(fd, F_GET_SEALS, 0) & fixedSize);
            assertEquals("/memfd:frame (deleted)", Files.readSymbolicLink(path).toString());
        } finally {
            linux.close(fd);
        }
    }

    @Test
    void the_requested_seals_are_set_with_the_others() {
        int all = Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_GROW | Memfd.F_SEAL_SEAL;
        assertEquals(all, sealsOfANewOne(Memfd.F_SEAL_SEAL) & all);
        assertEquals(0, sealsOfANewOne(0) & Memfd.F_SEAL_SEAL);
    }

    @Test
    void the_memory_cannot_be_made_executable() {
        assumeTheKernelKnowsNoexec();
        assertEquals(F_SEAL_EXEC, sealsOfANewOne(0) & F_SEAL_EXEC);
    }

    @Test
    void a_name_that_the_kernel_refuses_does_not_make_later_memory_executable() {
        assumeTheKernelKnowsNoexec();
        HeapException refusal =
                assertThrows(HeapException.class, () -> memfd.create("camera", "n".repeat(250), Bytes.PAGE, 0));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(F_SEAL_EXEC, sealsOfANewOne(0) & F_SEAL_EXEC);
    }
}
