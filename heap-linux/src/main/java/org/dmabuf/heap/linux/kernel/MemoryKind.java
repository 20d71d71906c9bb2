// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Kind of a file that another process sent. The calls used here do not reach the file's file system. The usual calls
 * (fstat, fstatfs, lseek, ioctl, close) do, and the file system can be a program of the sender that never answers
 * (FUSE). Make those calls only after the file is known to be memory.
 */
public enum MemoryKind {
    /**
     * Memory on ordinary pages that supports seals: a memfd, or a file on tmpfs, which never has the seals of a memfd.
     */
    MEMFD,
    /** A memfd on huge pages. */
    HUGE_MEMFD,
    /** A dma-buf, regardless of its exporter. */
    DMA_BUF,
    /**
     * Any other file: on a file system, a socket, a device, memfd_secret memory, or a descriptor opened with O_PATH.
     */
    OTHER;

    // The file system types of memory, from statfs(2).
    public static final long TMPFS_MAGIC = 0x01021994;
    public static final long HUGETLBFS_MAGIC = 0x958458f6L;
    public static final long DMA_BUF_MAGIC = 0x444d4142;
    public static final long SECRET_MAGIC = 0x5345434d;

    /**
     * Determines the kind of a descriptor's file.
     *
     * @throws HeapException when the kind cannot be determined: EMFILE, or no /proc
     */
    public static MemoryKind of(Syscalls syscalls, int fd) {
        if (syscalls.fcntl(fd, Memfd.F_GET_SEALS, 0) >= 0) { // EINVAL for any file that is not a memfd
            long kind = syscalls.fileSystem(fd);
            if (kind < 0) {
                throw KernelError.of("", "fstatfs", (int) kind);
            }
            return kind == HUGETLBFS_MAGIC ? HUGE_MEMFD : MEMFD;
        }
        int dmaBuf = syscalls.isDmaBuf(fd);
        if (dmaBuf < 0) {
            throw KernelError.of("", "open(/proc/self/fdinfo)", dmaBuf);
        }
        return dmaBuf == 1 ? DMA_BUF : OTHER;
    }

    /** {@return whether closing it cannot block in a file system; false if the kind cannot be determined} */
    public static boolean isMemory(Syscalls syscalls, int fd) {
        return syscalls.fcntl(fd, Memfd.F_GET_SEALS, 0) >= 0 || syscalls.isDmaBuf(fd) == 1;
    }
}
