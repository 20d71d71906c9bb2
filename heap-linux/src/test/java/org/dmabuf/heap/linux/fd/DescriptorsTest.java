// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;

class DescriptorsTest {
    private static final int F_GETFD = 1;
    private static final int FD_CLOEXEC = 1;
    private static final int NONE = 1_000_000;

    private final Syscalls linux = Syscalls.linux();
    private final Descriptors descriptors = new Descriptors(linux);

    @Test
    void a_duplicate_refers_to_the_same_file_is_closed_on_exec_and_outlives_the_first() {
        int first = linux.memfdCreate("frame", 0);
        long inode = descriptors.inode("camera", first);
        try (OwnedFd copy = descriptors.duplicate("camera", first)) {
            assertNotEquals(first, copy.fd());
            assertEquals(FD_CLOEXEC, linux.fcntl(copy.fd(), F_GETFD, 0));
            linux.close(first);
            assertEquals(inode, descriptors.inode("camera", copy.fd()));
        }
    }

    @Test
    void an_invalid_descriptor_is_refused_in_the_name_of_the_heap() {
        for (HeapException refusal : new HeapException[] {
            assertThrows(HeapException.class, () -> descriptors.duplicate("camera", NONE)),
            assertThrows(HeapException.class, () -> descriptors.inode("camera", NONE))
        }) {
            assertEquals(Errno.EBADF, refusal.errno());
            assertEquals(Optional.of("camera"), refusal.heap());
        }
    }
}
