// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/**
 * Linux error number of a refusal by the kernel, a heap or the broker. The numbers are those of asm-generic, which
 * x86-64, arm64 and riscv64 share. The list has the errors that occur with memory, descriptors and heaps.
 */
public enum Errno {
    /** Operation not permitted, for instance because a seal forbids it. */
    EPERM(1, "operation not permitted"),
    /** No such file or directory. */
    ENOENT(2, "no such file or directory"),
    /** Interrupted system call. */
    EINTR(4, "interrupted system call"),
    /** Input or output error; also stands for any error number that is not in this list. */
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
    /** A part of the path is not a folder. */
    ENOTDIR(20, "not a directory"),
    /** Invalid argument. */
    EINVAL(22, "invalid argument"),
    /** The machine has reached its limit of open files. */
    ENFILE(23, "too many open files in system"),
    /** The process has reached its limit of descriptors (RLIMIT_NOFILE). */
    EMFILE(24, "too many open files"),
    /** The descriptor does not support this ioctl. */
    ENOTTY(25, "inappropriate ioctl for device"),
    /** File too large. */
    EFBIG(27, "file too large"),
    /** No space left. */
    ENOSPC(28, "no space left on device"),
    /** The file system is read-only. */
    EROFS(30, "read-only file system"),
    /** The peer has gone. */
    EPIPE(32, "broken pipe"),
    /** The path is too long. */
    ENAMETOOLONG(36, "file name too long"),
    /** The call does not exist on this kernel. */
    ENOSYS(38, "function not implemented"),
    /** The path has a loop of symbolic links. */
    ELOOP(40, "too many levels of symbolic links"),
    /** The peer does not keep to the protocol. */
    EPROTO(71, "protocol error"),
    /** Value too large. */
    EOVERFLOW(75, "value too large for defined data type"),
    /** The descriptor is of the wrong kind. */
    EBADFD(77, "file descriptor in bad state"),
    /** The socket is of another type. */
    EPROTOTYPE(91, "protocol wrong type for socket"),
    /** This kind of buffer does not support the operation. */
    ENOTSUP(95, "operation not supported"),
    /** The address is taken. */
    EADDRINUSE(98, "address already in use"),
    /** The peer has gone. */
    ECONNRESET(104, "connection reset by peer"),
    /** Not connected any more. */
    ENOTCONN(107, "transport endpoint is not connected"),
    /** A wait reached its timeout. */
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

    /** {@return a short description in lower-case English} */
    public String meaning() {
        return meaning;
    }

    /**
     * Returns whether the error is transient: a shortage that may be over at the next call. A caller that probes the
     * machine's abilities must not treat such an error as "not supported".
     *
     * @return true for exhausted memory, descriptors or space, and for errors after which the call is to be repeated
     */
    public boolean isTransient() {
        return switch (this) {
            case ENOMEM, EAGAIN, EINTR, EMFILE, ENFILE, ENOSPC -> true;
            default -> false;
        };
    }

    /**
     * Returns the constant of a kernel error number.
     *
     * @param number a positive error number
     * @return its constant, {@link #EIO} for a number that is not listed
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
