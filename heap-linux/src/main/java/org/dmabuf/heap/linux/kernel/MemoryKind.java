// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Kind of a file that another process sent. The kernel itself answers every question asked here. The usual ones (fstat,
 * fstatfs, lseek, ioctl, close) go to the file's file system, which can be a program of the sender's that never answers
 * (FUSE). They may be asked only after the kind is known to be memory.
 */
public enum MemoryKind {
    /** Memory of ordinary pages with seals: a memfd, or a file of a tmpfs, which never has the seals of one. */
    MEMFD,
    /** A memfd on huge pages. */
    HUGE_MEMFD,
    /** A dma-buf of any exporter. */
    DMA_BUF,
    /** A file of a file system, a socket, a device, memfd_secret memory, or a descriptor of O_PATH. */
    OTHER;

    // The kinds of file systems that memory is on, by statfs(2).
    public static final long TMPFS_MAGIC = 0x01021994;
    public static final long HUGETLBFS_MAGIC = 0x958458f6L;
    public static final long DMA_BUF_MAGIC = 0x444d4142;
    public static final long SECRET_MAGIC = 0x5345434d;

    /**
     * Finds out what a descriptor is of.
     *
     * @throws HeapException when it cannot be found out: EMFILE, or no /proc
     */
    public static MemoryKind of(Syscalls syscalls, int fd) {
        if (syscalls.fcntl(fd, Memfd.F_GET_SEALS, 0) >= 0) { // EINVAL for all that is not memory of these two kinds
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

    /** {@return whether closing it cannot wait for a file system; false when that cannot be found out} */
    public static boolean isMemory(Syscalls syscalls, int fd) {
        return syscalls.fcntl(fd, Memfd.F_GET_SEALS, 0) >= 0 || syscalls.isDmaBuf(fd) == 1;
    }
}
