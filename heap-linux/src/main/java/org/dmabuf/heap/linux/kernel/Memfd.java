// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Maker of memfds by memfd_create(2). A memfd is memory with a descriptor; other processes can map it, and no process
 * can shrink it. {@link #create} also allocates the pages, so that a later access cannot fail.
 */
public final class Memfd {
    public static final int MFD_CLOEXEC = 0x1;
    public static final int MFD_ALLOW_SEALING = 0x2;
    public static final int MFD_HUGETLB = 0x4; // plus the binary logarithm of the page size, shifted left by 26
    static final int MFD_NOEXEC_SEAL = 0x8; // since 6.3, EINVAL before

    public static final int F_ADD_SEALS = 1033;
    public static final int F_GET_SEALS = 1034; // EINVAL for any file that is not memory

    public static final int F_SEAL_SEAL = 0x1; // forbids further seals
    public static final int F_SEAL_SHRINK = 0x2;
    public static final int F_SEAL_GROW = 0x4;
    public static final int F_SEAL_WRITE = 0x8;
    public static final int F_SEAL_FUTURE_WRITE = 0x10; // forbids new writable mappings and write(2), even for root

    /** Reason why memfds cannot be exported for reading only on kernels before 5.1. */
    public static final String WHY_NOT_READ_ONLY =
            "this kernel is older than 5.1 and cannot prevent a holder from writing";

    private static final int PUNCH_HOLE_KEEP_SIZE = 0x3; // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

    private final Syscalls syscalls;
    private volatile boolean noexec = true;

    /** Makes an object that uses the given system calls. Any thread may call any method. */
    public Memfd(Syscalls syscalls) {
        this.syscalls = syscalls;
    }

    /**
     * Makes a memfd of a fixed size.
     *
     * @param heap named in a refusal
     * @param name name in /proc
     * @param size bytes, whole pages
     * @param seals {@code F_SEAL_*} in addition to SHRINK and GROW
     * @return a descriptor that the caller owns
     * @throws HeapException {@link Errno#ENOMEM} when there is no memory, {@link Errno#EINTR} when the thread was
     *     interrupted between two {@linkplain Pieces pieces}; the call then holds nothing
     */
    public int create(String heap, String name, long size, int seals) {
        return create(heap, name, size, seals, 0);
    }

    /**
     * Makes a memfd of a fixed size on pages of a given size.
     *
     * @param pages 0, or {@link #MFD_HUGETLB} with the page size; such a memfd must not be exported
     */
    public int create(String heap, String name, long size, int seals, int pages) {
        return create(heap, name, size, seals, pages, (fd, bytes) -> 0).fd();
    }

    /**
     * Makes a memfd of a fixed size, in large folios as far as possible.
     *
     * @param folios large folios of the source
     */
    public NewMemfd create(String heap, String name, long size, int seals, LargeFolios folios) {
        return create(heap, name, size, seals, 0, folios::fill);
    }

    /** Maker of the first pages of an empty memfd. */
    private interface FirstPages {
        /** {@return bytes in large folios} */
        long fill(int fd, long size);
    }

    private NewMemfd create(String heap, String name, long size, int seals, int pages, FirstPages first) {
        int fd = create(name, pages);
        if (fd < 0) {
            throw KernelError.of(heap, size, "memfd_create", fd);
        }
        boolean made = false;
        try {
            long inLargeFolios = first.fill(fd, size);
            allocate(heap, fd, size); // the missing pages, after which there is no hole
            int result = syscalls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | seals);
            if (result < 0) {
                throw KernelError.of(heap, size, "fcntl(F_ADD_SEALS)", result);
            }
            NewMemfd memfd = new NewMemfd(fd, inLargeFolios);
            made = true;
            return memfd;
        } finally {
            if (!made) {
                syscalls.close(fd);
            }
        }
    }

    /**
     * Makes a memfd of a fixed size without pages. It must not be exported, because an access fails when the machine
     * has no memory.
     *
     * @param heap named in exceptions, and the name in /proc
     * @param size bytes, whole pages
     * @return a descriptor that the caller owns
     * @throws HeapException when the kernel refuses; the call then holds nothing
     */
    public int createEmpty(String heap, long size) {
        int fd = create(heap, 0);
        if (fd < 0) {
            throw KernelError.of(heap, size, "memfd_create", fd);
        }
        String call = "fallocate";
        int result = fallocate(fd, 0, size - Bytes.PAGE, Bytes.PAGE); // extends the file to its size
        if (result == 0) {
            result = punch(fd, 0, size);
        }
        if (result == 0) {
            call = "fcntl(F_ADD_SEALS)";
            result = syscalls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        }
        if (result < 0) {
            syscalls.close(fd);
            throw KernelError.of(errno(result), heap, size, call, result);
        }
        return fd;
    }

    /**
     * Releases the pages of a range to the machine. The range then reads as zeroes, and an access allocates new pages.
     *
     * @return 0 or a negative error number
     */
    public int punch(int fd, long offset, long length) {
        return fallocate(fd, PUNCH_HOLE_KEEP_SIZE, offset, length);
    }

    private int fallocate(int fd, int mode, long offset, long length) {
        int result;
        do {
            result = syscalls.fallocate(fd, mode, offset, length);
        } while (result == -Errno.EINTR.number());
        return result;
    }

    private int create(String name, int pages) {
        if (noexec) {
            int fd = syscalls.memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | pages);
            if (fd != -Errno.EINVAL.number()) {
                return fd;
            }
        }
        int fd = syscalls.memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | pages);
        if (fd >= 0) {
            noexec = false; // the flag was the cause, and not, for instance, a name that is too long
        }
        return fd;
    }

    /** Returns ENOMEM for a limit of memfds, because another heap may be able to serve the request. */
    private static Errno errno(int result) {
        Errno errno = Errno.of(-result);
        return errno == Errno.ENOSPC || errno == Errno.EFBIG ? Errno.ENOMEM : errno;
    }

    private void allocate(String heap, int fd, long size) {
        for (long done = 0; done < size; ) {
            long piece = Pieces.next(heap, done, size);
            int result = fallocate(fd, 0, done, piece);
            if (result < 0) {
                throw KernelError.of(errno(result), heap, size, "fallocate", result);
            }
            done += piece;
        }
    }
}
