// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.syscall;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.kernel.DmaBufSync;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;

/** Tests on the running kernel. */
class LinuxSyscallsTest {
    private static final int F_GETFD = 1;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int F_GET_SEALS = 1034;
    private static final int FD_CLOEXEC = 1;
    private static final int O_RDWR = 0x2;
    /** A number that no descriptor has. */
    private static final int NO_FD = 1 << 30;

    private final Syscalls linux = Syscalls.linux();

    private static Path path(int fd) {
        return Path.of("/proc/self/fd/" + fd);
    }

    private int memfd(String name) {
        int fd = linux.memfdCreate(name, Memfd.MFD_CLOEXEC | Memfd.MFD_ALLOW_SEALING);
        assertTrue(fd >= 0, () -> "memfd_create: " + fd);
        return fd;
    }

    @Test
    @SuppressWarnings("restricted") // the segment is the mapping that mmap has just returned
    void a_memfd_is_made_filled_mapped_read_by_another_and_closed() throws IOException {
        int fd = memfd("roundtrip");
        try {
            assertEquals(
                    "/memfd:roundtrip (deleted)",
                    Files.readSymbolicLink(path(fd)).toString());
            assertEquals(0, linux.fallocate(fd, 0, 0, 2 * Bytes.PAGE));
            assertEquals(2 * Bytes.PAGE, Files.size(path(fd)));

            long address = linux.mmap(0, 2 * Bytes.PAGE, Mmap.PROT_READ | Mmap.PROT_WRITE, Mmap.MAP_SHARED, fd, 0);
            assertTrue(address > 0, () -> "mmap: " + address);
            assertEquals(0, linux.madvise(address, 2 * Bytes.PAGE, Mmap.MADV_POPULATE_WRITE));
            MemorySegment.ofAddress(address).reinterpret(2 * Bytes.PAGE).fill((byte) 0x5a);
            assertEquals(0, linux.munmap(address, 2 * Bytes.PAGE));

            byte[] expected = new byte[2 * (int) Bytes.PAGE];
            Arrays.fill(expected, (byte) 0x5a);
            assertArrayEquals(expected, Files.readAllBytes(path(fd)));
        } finally {
            assertEquals(0, linux.close(fd));
        }
        assertEquals(-Errno.EBADF.number(), linux.close(fd));
    }

    @Test
    @SuppressWarnings("restricted") // the segment is the mapping that mmap has just returned
    void a_mapping_begins_at_its_offset() {
        int fd = memfd("offset");
        try {
            assertEquals(0, linux.fallocate(fd, 0, 0, 2 * Bytes.PAGE));
            long all = linux.mmap(0, 2 * Bytes.PAGE, Mmap.PROT_READ | Mmap.PROT_WRITE, Mmap.MAP_SHARED, fd, 0);
            long second = linux.mmap(0, Bytes.PAGE, Mmap.PROT_READ, Mmap.MAP_SHARED, fd, Bytes.PAGE);
            MemorySegment.ofAddress(all).reinterpret(2 * Bytes.PAGE).set(ValueLayout.JAVA_BYTE, Bytes.PAGE, (byte) 7);
            assertEquals(
                    7, MemorySegment.ofAddress(second).reinterpret(Bytes.PAGE).get(ValueLayout.JAVA_BYTE, 0));
            assertEquals(0, linux.munmap(second, Bytes.PAGE));
            assertEquals(0, linux.munmap(all, 2 * Bytes.PAGE));
        } finally {
            linux.close(fd);
        }
    }

    @Test
    void fcntl_passes_its_argument_and_returns_its_result() {
        int fd = memfd("fcntl");
        try {
            assertEquals(FD_CLOEXEC, linux.fcntl(fd, F_GETFD, 0));
            assertEquals(0, linux.fcntl(fd, Memfd.F_ADD_SEALS, Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_GROW));
            assertEquals(Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_GROW, linux.fcntl(fd, F_GET_SEALS, 0));
            int duplicate = linux.fcntl(fd, F_DUPFD_CLOEXEC, 0);
            assertTrue(duplicate >= 0 && duplicate != fd);
            assertEquals(0, linux.close(duplicate));
        } finally {
            linux.close(fd);
        }
    }

    @Test
    void a_reopened_descriptor_is_the_same_file_and_another_number() throws IOException {
        int fd = memfd("reopened");
        int again = linux.open("/proc/self/fd/" + fd, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC);
        try {
            assertNotEquals(fd, again);
            assertEquals(linux.inode(fd), linux.inode(again));
        } finally {
            linux.close(fd);
            linux.close(again);
        }
    }

    @Test
    void the_inode_is_the_one_that_the_file_system_reports() throws IOException {
        int one = memfd("one");
        int two = memfd("two");
        try {
            assertEquals(Files.getAttribute(path(one), "unix:ino"), linux.inode(one));
            assertEquals(Files.getAttribute(path(two), "unix:ino"), linux.inode(two));
            assertNotEquals(linux.inode(one), linux.inode(two));
        } finally {
            linux.close(one);
            linux.close(two);
        }
    }

    @Test
    void a_memfd_is_a_file_without_a_name_and_a_device_is_not() throws IOException {
        int memfd = linux.memfdCreate("names", 1);
        int device = linux.open("/dev/null", 0);
        try {
            assertEquals(Files.getAttribute(path(memfd), "unix:mode"), linux.mode(memfd));
            assertEquals(Files.getAttribute(path(device), "unix:mode"), linux.mode(device));
            assertEquals(0, linux.links(memfd));
            assertEquals(Files.getAttribute(path(device), "unix:nlink"), linux.links(device));
            assertEquals(-Errno.EBADF.number(), linux.mode(NO_FD));
            assertEquals(-Errno.EBADF.number(), linux.links(NO_FD));
        } finally {
            linux.close(memfd);
            linux.close(device);
        }
    }

    @Test
    void a_refusal_is_the_negative_error_number() {
        assertEquals(-Errno.EBADF.number(), linux.close(NO_FD));
        assertEquals(-Errno.EBADF.number(), linux.fcntl(NO_FD, F_GETFD, 0));
        assertEquals(-Errno.EBADF.number(), linux.fallocate(NO_FD, 0, 0, Bytes.PAGE));
        assertEquals(-Errno.EBADF.number(), linux.inode(NO_FD));
        assertEquals(-Errno.EBADF.number(), linux.mmap(0, Bytes.PAGE, Mmap.PROT_READ, Mmap.MAP_SHARED, NO_FD, 0));
        assertEquals(-Errno.EINVAL.number(), linux.memfdCreate("flags", 1 << 30));
        assertEquals(-Errno.ENOENT.number(), linux.open("/nothing/here", Fcntl.O_RDONLY));
        assertEquals(-Errno.EACCES.number(), readOnlyMappedForWriting());
        assertEquals(-Errno.EINVAL.number(), linux.munmap(1, Bytes.PAGE)); // no page begins there
        assertEquals(-Errno.EINVAL.number(), linux.madvise(1, Bytes.PAGE, Mmap.MADV_POPULATE_READ));
    }

    private long readOnlyMappedForWriting() {
        int fd = memfd("readonly");
        int readOnly = linux.open("/proc/self/fd/" + fd, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC);
        try {
            return linux.mmap(0, Bytes.PAGE, Mmap.PROT_READ | Mmap.PROT_WRITE, Mmap.MAP_SHARED, readOnly, 0);
        } finally {
            linux.close(fd);
            linux.close(readOnly);
        }
    }

    @Test
    void a_name_that_is_too_long_is_refused_and_not_truncated() {
        int enametoolong = 36;
        assertEquals(-enametoolong, linux.memfdCreate("n".repeat(256), 0));
        assertEquals(-enametoolong, linux.memfdCreate("\u20ac".repeat(86), 0)); // 258 bytes
        assertEquals(-enametoolong, linux.open("/" + "p".repeat(255), Fcntl.O_RDONLY));
        // The longest permitted name: 249 bytes.
        int fd = memfd("\u20ac".repeat(83));
        assertEquals(0, linux.close(fd));
    }

    @Test
    void threads_do_not_see_each_others_error_numbers() throws InterruptedException {
        Thread[] threads = new Thread[8];
        int[] wrong = new int[threads.length];
        for (int i = 0; i < threads.length; i++) {
            int self = i;
            threads[i] = new Thread(() -> {
                for (int n = 0; n < 2_000; n++) {
                    int expected = self % 2 == 0 ? Errno.EBADF.number() : Errno.ENOENT.number();
                    int result = self % 2 == 0 ? linux.close(NO_FD) : linux.open("/nothing/here", O_RDWR);
                    wrong[self] += result == -expected ? 0 : 1;
                }
            });
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertArrayEquals(new int[threads.length], wrong);
    }

    @Test
    void the_end_of_a_file_is_reported() {
        int fd = memfd("end");
        try {
            assertEquals(0, linux.fallocate(fd, 0, 0, 3 * Bytes.PAGE));
            assertEquals(3 * Bytes.PAGE, linux.seekEnd(fd));
        } finally {
            assertEquals(0, linux.close(fd));
        }
    }

    /** The tests in the guest make these calls on real dma-bufs and heaps. */
    @Test
    void a_file_that_is_neither_dma_buf_nor_heap_refuses_their_ioctls() {
        int fd = memfd("none");
        try {
            int enotty = -Errno.ENOTTY.number();
            assertEquals(enotty, linux.dmaBufSync(fd, DmaBufSync.DMA_BUF_SYNC_READ));
            assertEquals(enotty, linux.dmaBufSetName(fd, "name"));
            assertEquals(enotty, linux.dmaHeapAllocate(fd, Bytes.PAGE, Fcntl.O_CLOEXEC, 0));
            assertEquals(enotty, linux.udmabufCreate(fd, fd, 1, 0, Bytes.PAGE));
            assertEquals(-Errno.EINVAL.number(), linux.dmaBufSetName(fd, "x".repeat(256)));
        } finally {
            assertEquals(0, linux.close(fd));
        }
        assertEquals(-Errno.EBADF.number(), linux.dmaBufSync(NO_FD, DmaBufSync.DMA_BUF_SYNC_READ));
        assertEquals(-Errno.EBADF.number(), linux.dmaHeapAllocate(NO_FD, Bytes.PAGE, Fcntl.O_CLOEXEC, 0));
        assertEquals(-Errno.EBADF.number(), linux.udmabufCreate(NO_FD, NO_FD, 1, 0, Bytes.PAGE));
        assertEquals(-Errno.EBADF.number(), linux.seekEnd(NO_FD));
    }
}
