// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/**
 * Linux error number by which the kernel, a heap or the broker refuses. The numbers are those of asm-generic, which
 * x86-64, arm64 and riscv64 share; the list holds the ones that memory, descriptors and heaps can meet.
 */
public enum Errno {
    /** Operation not permitted: for instance a seal is in the way. */
    EPERM(1, "operation not permitted"),
    /** No such file or directory. */
    ENOENT(2, "no such file or directory"),
    /** Interrupted system call. */
    EINTR(4, "interrupted system call"),
    /** Input or output error; also any error number that this list does not hold. */
    EIO(5, "input/output error"),
    /** No such device or address. */
    ENXIO(6, "no such device or address"),
    /** Bad descriptor: closed, or open for another access. */
    EBADF(9, "bad file descriptor"),
    /** Try again. */
    EAGAIN(11, "resource temporarily unavailable"),
    /** Out of memory: of the heap, of a quota, or of the machine. */
    ENOMEM(12, "cannot allocate memory"),
    /** Not permitted to this user or this bundle. */
    EACCES(13, "permission denied"),
    /** Bad address. */
    EFAULT(14, "bad address"),
    /** In use. */
    EBUSY(16, "device or resource busy"),
    /** Exists already. */
    EEXIST(17, "file exists"),
    /** No such heap, or a heap that is leaving. */
    ENODEV(19, "no such device"),
    /** A part of the path is no folder. */
    ENOTDIR(20, "not a directory"),
    /** Invalid argument. */
    EINVAL(22, "invalid argument"),
    /** The machine has no descriptor left. */
    ENFILE(23, "too many open files in system"),
    /** The process has no descriptor left (RLIMIT_NOFILE). */
    EMFILE(24, "too many open files"),
    /** The descriptor does not know this ioctl. */
    ENOTTY(25, "inappropriate ioctl for device"),
    /** File too large. */
    EFBIG(27, "file too large"),
    /** No space left. */
    ENOSPC(28, "no space left on device"),
    /** A file system that is read-only. */
    EROFS(30, "read-only file system"),
    /** The peer has gone. */
    EPIPE(32, "broken pipe"),
    /** A path that is too long. */
    ENAMETOOLONG(36, "file name too long"),
    /** The call does not exist on this kernel. */
    ENOSYS(38, "function not implemented"),
    /** A loop of symbolic links. */
    ELOOP(40, "too many levels of symbolic links"),
    /** The peer does not keep to the protocol. */
    EPROTO(71, "protocol error"),
    /** Value too large. */
    EOVERFLOW(75, "value too large for defined data type"),
    /** A descriptor of the wrong kind. */
    EBADFD(77, "file descriptor in bad state"),
    /** A socket of another type. */
    EPROTOTYPE(91, "protocol wrong type for socket"),
    /** The buffer cannot do that, by construction. */
    ENOTSUP(95, "operation not supported"),
    /** The address is taken. */
    EADDRINUSE(98, "address already in use"),
    /** The peer has gone. */
    ECONNRESET(104, "connection reset by peer"),
    /** Not connected any more. */
    ENOTCONN(107, "transport endpoint is not connected"),
    /** A wait ran out. */
    ETIMEDOUT(110, "connection timed out"),
    /** No process listens there. */
    ECONNREFUSED(111, "connection refused");

    private final int number;
    private final String meaning;

    Errno(int number, String meaning) {
        this.number = number;
        this.meaning = meaning;
    }

    /** {@return the positive number that the kernel uses} */
    public int number() {
        return number;
    }

    /** {@return a few lower-case words of English} */
    public String meaning() {
        return meaning;
    }

    /**
     * Whether it reports a shortage, which may be over with the next call, and nothing of what the machine can do. A
     * caller that tries what the machine can do must not take it for an answer.
     *
     * @return true for memory, descriptors and space that are used up, and for what is to be tried again
     */
    public boolean isTransient() {
        return switch (this) {
            case ENOMEM, EAGAIN, EINTR, EMFILE, ENFILE, ENOSPC -> true;
            default -> false;
        };
    }

    /**
     * The constant of a kernel's number.
     *
     * @param number a positive error number
     * @return its constant, {@link #EIO} for one that is not listed
     */
    public static Errno of(int number) {
        for (Errno errno : values()) {
            if (errno.number == number) {
                return errno;
            }
        }
        return EIO;
    }
}
