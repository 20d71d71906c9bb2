// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/**
 * Linux error number of a refusal by the kernel, a heap or the broker. The numbers are those of asm-generic, which
 * x86-64, arm64 and riscv64 share. The list has every number that Linux defines.
 *
 * <p>The set is open: a later version adds the numbers of later kernels. A switch therefore needs a default.
 */
public enum Errno {
    /** Operation not permitted, for instance because a seal or a sandbox forbids it. */
    EPERM(1, "operation not permitted"),
    /** No such file or directory. */
    ENOENT(2, "no such file or directory"),
    /** No such process. */
    ESRCH(3, "no such process"),
    /** Interrupted system call. */
    EINTR(4, "interrupted system call"),
    /** Input or output error; also stands for a number that Linux did not define when this list was made. */
    EIO(5, "input/output error"),
    /** No such device or address. */
    ENXIO(6, "no such device or address"),
    /** Argument list too long. */
    E2BIG(7, "argument list too long"),
    /** Exec format error. */
    ENOEXEC(8, "exec format error"),
    /** Bad descriptor: closed, or open for another access. */
    EBADF(9, "bad file descriptor"),
    /** No child processes. */
    ECHILD(10, "no child processes"),
    /** Try again. */
    EAGAIN(11, "resource temporarily unavailable"),
    /** Out of memory: of the heap, of a quota, or of the machine. */
    ENOMEM(12, "cannot allocate memory"),
    /** Not permitted to this user or this bundle. */
    EACCES(13, "permission denied"),
    /** Bad address. */
    EFAULT(14, "bad address"),
    /** Block device required. */
    ENOTBLK(15, "block device required"),
    /** In use. */
    EBUSY(16, "device or resource busy"),
    /** Exists already. */
    EEXIST(17, "file exists"),
    /** Invalid cross-device link. */
    EXDEV(18, "invalid cross-device link"),
    /** No such heap, or a heap that is leaving. */
    ENODEV(19, "no such device"),
    /** A part of the path is not a folder. */
    ENOTDIR(20, "not a directory"),
    /** Is a directory. */
    EISDIR(21, "is a directory"),
    /** Invalid argument. */
    EINVAL(22, "invalid argument"),
    /** The machine has reached its limit of open files. */
    ENFILE(23, "too many open files in system"),
    /** The process has reached its limit of descriptors (RLIMIT_NOFILE). */
    EMFILE(24, "too many open files"),
    /** The descriptor does not support this ioctl. */
    ENOTTY(25, "inappropriate ioctl for device"),
    /** Text file busy. */
    ETXTBSY(26, "text file busy"),
    /** The file is larger than the file system or the process's limit (RLIMIT_FSIZE) permits. */
    EFBIG(27, "file too large"),
    /** No space left. */
    ENOSPC(28, "no space left on device"),
    /** Illegal seek. */
    ESPIPE(29, "illegal seek"),
    /** The file system is read-only. */
    EROFS(30, "read-only file system"),
    /** Too many links. */
    EMLINK(31, "too many links"),
    /** The peer has gone. */
    EPIPE(32, "broken pipe"),
    /** Numerical argument out of domain. */
    EDOM(33, "numerical argument out of domain"),
    /** Numerical result out of range. */
    ERANGE(34, "numerical result out of range"),
    /** Resource deadlock avoided. */
    EDEADLK(35, "resource deadlock avoided"),
    /** The path is too long. */
    ENAMETOOLONG(36, "file name too long"),
    /** The kernel has no memory for a lock at the moment. */
    ENOLCK(37, "no locks available"),
    /** The kernel does not have the call, or a sandbox refuses it. */
    ENOSYS(38, "function not implemented"),
    /** Directory not empty. */
    ENOTEMPTY(39, "directory not empty"),
    /** The path has a loop of symbolic links. */
    ELOOP(40, "too many levels of symbolic links"),
    /** No message of desired type. */
    ENOMSG(42, "no message of desired type"),
    /** Identifier removed. */
    EIDRM(43, "identifier removed"),
    /** Channel number out of range. */
    ECHRNG(44, "channel number out of range"),
    /** Level 2 not synchronized. */
    EL2NSYNC(45, "level 2 not synchronized"),
    /** Level 3 halted. */
    EL3HLT(46, "level 3 halted"),
    /** Level 3 reset. */
    EL3RST(47, "level 3 reset"),
    /** Link number out of range. */
    ELNRNG(48, "link number out of range"),
    /** Protocol driver not attached. */
    EUNATCH(49, "protocol driver not attached"),
    /** No CSI structure available. */
    ENOCSI(50, "no CSI structure available"),
    /** Level 2 halted. */
    EL2HLT(51, "level 2 halted"),
    /** Invalid exchange. */
    EBADE(52, "invalid exchange"),
    /** Invalid request descriptor. */
    EBADR(53, "invalid request descriptor"),
    /** Exchange full. */
    EXFULL(54, "exchange full"),
    /** No anode. */
    ENOANO(55, "no anode"),
    /** Invalid request code. */
    EBADRQC(56, "invalid request code"),
    /** Invalid slot. */
    EBADSLT(57, "invalid slot"),
    /** Bad font file format. */
    EBFONT(59, "bad font file format"),
    /** Device not a stream. */
    ENOSTR(60, "device not a stream"),
    /** No data available. */
    ENODATA(61, "no data available"),
    /** Timer expired. */
    ETIME(62, "timer expired"),
    /** Out of streams resources. */
    ENOSR(63, "out of streams resources"),
    /** Machine is not on the network. */
    ENONET(64, "machine is not on the network"),
    /** Package not installed. */
    ENOPKG(65, "package not installed"),
    /** Object is remote. */
    EREMOTE(66, "object is remote"),
    /** Link has been severed. */
    ENOLINK(67, "link has been severed"),
    /** Advertise error. */
    EADV(68, "advertise error"),
    /** Srmount error. */
    ESRMNT(69, "srmount error"),
    /** Communication error on send. */
    ECOMM(70, "communication error on send"),
    /** The peer does not keep to the protocol. */
    EPROTO(71, "protocol error"),
    /** Multihop attempted. */
    EMULTIHOP(72, "multihop attempted"),
    /** RFS specific error. */
    EDOTDOT(73, "RFS specific error"),
    /** Bad message. */
    EBADMSG(74, "bad message"),
    /** Value too large. */
    EOVERFLOW(75, "value too large for defined data type"),
    /** Name not unique on network. */
    ENOTUNIQ(76, "name not unique on network"),
    /** The descriptor is of the wrong kind. */
    EBADFD(77, "file descriptor in bad state"),
    /** Remote address changed. */
    EREMCHG(78, "remote address changed"),
    /** Cannot access a needed shared library. */
    ELIBACC(79, "cannot access a needed shared library"),
    /** Accessing a corrupted shared library. */
    ELIBBAD(80, "accessing a corrupted shared library"),
    /** .lib section in a.out corrupted. */
    ELIBSCN(81, ".lib section in a.out corrupted"),
    /** Attempting to link in too many shared libraries. */
    ELIBMAX(82, "attempting to link in too many shared libraries"),
    /** Cannot exec a shared library directly. */
    ELIBEXEC(83, "cannot exec a shared library directly"),
    /** Invalid or incomplete multibyte or wide character. */
    EILSEQ(84, "invalid or incomplete multibyte or wide character"),
    /** Interrupted system call should be restarted. */
    ERESTART(85, "interrupted system call should be restarted"),
    /** Streams pipe error. */
    ESTRPIPE(86, "streams pipe error"),
    /** Too many users. */
    EUSERS(87, "too many users"),
    /** Socket operation on non-socket. */
    ENOTSOCK(88, "socket operation on non-socket"),
    /** Destination address required. */
    EDESTADDRREQ(89, "destination address required"),
    /** Message too long. */
    EMSGSIZE(90, "message too long"),
    /** The socket is of another type. */
    EPROTOTYPE(91, "protocol wrong type for socket"),
    /** Protocol not available. */
    ENOPROTOOPT(92, "protocol not available"),
    /** Protocol not supported. */
    EPROTONOSUPPORT(93, "protocol not supported"),
    /** Socket type not supported. */
    ESOCKTNOSUPPORT(94, "socket type not supported"),
    /** This kind of buffer does not support the operation. */
    ENOTSUP(95, "operation not supported"),
    /** Protocol family not supported. */
    EPFNOSUPPORT(96, "protocol family not supported"),
    /** The address family does not exist here, or a sandbox forbids it. */
    EAFNOSUPPORT(97, "address family not supported by protocol"),
    /** The address is taken. */
    EADDRINUSE(98, "address already in use"),
    /** Cannot assign requested address. */
    EADDRNOTAVAIL(99, "cannot assign requested address"),
    /** Network is down. */
    ENETDOWN(100, "network is down"),
    /** Network is unreachable. */
    ENETUNREACH(101, "network is unreachable"),
    /** Network dropped connection on reset. */
    ENETRESET(102, "network dropped connection on reset"),
    /** Software caused connection abort. */
    ECONNABORTED(103, "software caused connection abort"),
    /** The peer has gone. */
    ECONNRESET(104, "connection reset by peer"),
    /** The kernel has no memory for a message at the moment. */
    ENOBUFS(105, "no buffer space available"),
    /** Transport endpoint is already connected. */
    EISCONN(106, "transport endpoint is already connected"),
    /** Not connected any more. */
    ENOTCONN(107, "transport endpoint is not connected"),
    /** Cannot send after transport endpoint shutdown. */
    ESHUTDOWN(108, "cannot send after transport endpoint shutdown"),
    /** Too many descriptors of this user are under way in sockets, and no process has received them yet. */
    ETOOMANYREFS(109, "too many descriptors under way"),
    /** A wait reached its timeout. */
    ETIMEDOUT(110, "connection timed out"),
    /** No process listens there. */
    ECONNREFUSED(111, "connection refused"),
    /** Host is down. */
    EHOSTDOWN(112, "host is down"),
    /** No route to host. */
    EHOSTUNREACH(113, "no route to host"),
    /** Operation already in progress. */
    EALREADY(114, "operation already in progress"),
    /** Operation now in progress. */
    EINPROGRESS(115, "operation now in progress"),
    /** Stale file handle. */
    ESTALE(116, "stale file handle"),
    /** Structure needs cleaning. */
    EUCLEAN(117, "structure needs cleaning"),
    /** Not a XENIX named type file. */
    ENOTNAM(118, "not a XENIX named type file"),
    /** No XENIX semaphores available. */
    ENAVAIL(119, "no XENIX semaphores available"),
    /** Is a named type file. */
    EISNAM(120, "is a named type file"),
    /** Remote I/O error. */
    EREMOTEIO(121, "remote I/O error"),
    /** The user has used up a quota. */
    EDQUOT(122, "disk quota exceeded"),
    /** No medium found. */
    ENOMEDIUM(123, "no medium found"),
    /** Wrong medium type. */
    EMEDIUMTYPE(124, "wrong medium type"),
    /** Operation canceled. */
    ECANCELED(125, "operation canceled"),
    /** Required key not available. */
    ENOKEY(126, "required key not available"),
    /** Key has expired. */
    EKEYEXPIRED(127, "key has expired"),
    /** Key has been revoked. */
    EKEYREVOKED(128, "key has been revoked"),
    /** Key was rejected by service. */
    EKEYREJECTED(129, "key was rejected by service"),
    /** Owner died. */
    EOWNERDEAD(130, "owner died"),
    /** State not recoverable. */
    ENOTRECOVERABLE(131, "state not recoverable"),
    /** Operation not possible due to RF-kill. */
    ERFKILL(132, "operation not possible due to RF-kill"),
    /** Memory page has hardware error. */
    EHWPOISON(133, "memory page has hardware error"),

    // Numbers for the kernel's own use, which some drivers return.
    /** Interrupted system call that should be restarted. */
    ERESTARTSYS(512, "interrupted system call that should be restarted"),
    /** Interrupted system call that is always restarted. */
    ERESTARTNOINTR(513, "interrupted system call that is always restarted"),
    /** Interrupted system call that is restarted without a handler. */
    ERESTARTNOHAND(514, "interrupted system call that is restarted without a handler"),
    /** No such ioctl command. */
    ENOIOCTLCMD(515, "no such ioctl command"),
    /** Interrupted system call that is restarted with other arguments. */
    ERESTART_RESTARTBLOCK(516, "interrupted system call that is restarted with other arguments"),
    /** Driver requests a later probe. */
    EPROBE_DEFER(517, "driver requests a later probe"),
    /** Open found a stale entry. */
    EOPENSTALE(518, "open found a stale entry"),
    /** Parameter not supported. */
    ENOPARAM(519, "parameter not supported"),
    /** Illegal file handle. */
    EBADHANDLE(521, "illegal file handle"),
    /** Update synchronization mismatch. */
    ENOTSYNC(522, "update synchronization mismatch"),
    /** Cookie is stale. */
    EBADCOOKIE(523, "cookie is stale"),
    /** Operation is not supported by the driver. */
    ENOTSUPP(524, "operation is not supported by the driver"),
    /** Buffer or request is too small. */
    ETOOSMALL(525, "buffer or request is too small"),
    /** An untranslatable error occurred. */
    ESERVERFAULT(526, "an untranslatable error occurred"),
    /** Type not supported by server. */
    EBADTYPE(527, "type not supported by server"),
    /** Request initiated, but will not complete before timeout. */
    EJUKEBOX(528, "request initiated, but will not complete before timeout"),
    /** Request queued, completion follows. */
    EIOCBQUEUED(529, "request queued, completion follows"),
    /** Conflict with a recalled state. */
    ERECALLCONFLICT(530, "conflict with a recalled state"),
    /** Grace period is over. */
    ENOGRACE(531, "grace period is over");

    /** The constant of each number; null for a number that Linux does not define. */
    private static final Errno[] BY_NUMBER = byNumber();

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
     * @return true for exhausted memory, descriptors, locks, space or quotas, and for errors after which the call is to
     *     be repeated
     */
    public boolean isTransient() {
        return switch (this) {
            case ENOMEM, EAGAIN, EINTR, EMFILE, ENFILE, ENOSPC, ENOLCK, ENOBUFS, ETOOMANYREFS, EDQUOT -> true;
            default -> false;
        };
    }

    /**
     * Returns the constant of a kernel error number.
     *
     * @param number a positive error number
     * @return its constant, {@link #EIO} for a number that Linux does not define
     */
    public static Errno of(int number) {
        Errno known = number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
        return known == null ? EIO : known;
    }

    private static Errno[] byNumber() {
        Errno[] all = values();
        Errno[] table = new Errno[all[all.length - 1].number + 1]; // they are in the order of their numbers
        for (Errno errno : all) {
            table[errno.number] = errno;
        }
        return table;
    }
}
