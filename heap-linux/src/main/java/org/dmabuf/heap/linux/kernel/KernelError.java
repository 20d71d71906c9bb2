// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/** Conversion of the kernel's error numbers to exceptions with cause and remedy. */
public final class KernelError {
    /** Open of a device node: of one that heaps use, or of any other. */
    private static final Pattern DEVICE = Pattern.compile("open(\\(| of )(/dev/[^)]*)\\)?");
    /** Name of a system call, with which each message begins. */
    private static final Pattern NAME = Pattern.compile("[a-z_0-9]+");
    /**
     * Calls for which every process has permission, on memory of its own. All kernels that run Java have them, so only
     * a sandbox refuses them.
     */
    private static final Set<String> UNPRIVILEGED = Set.of(
            "accept4",
            "epoll_create1",
            "epoll_ctl",
            "eventfd2",
            "fallocate",
            "flock",
            "fstatfs",
            "getsockopt",
            "inotify_add_watch",
            "inotify_init1",
            "listen",
            "lseek",
            "madvise",
            "memfd_create",
            "pipe2",
            "recvmsg",
            "sendmsg",
            "setsockopt",
            "socket",
            "statx");

    private static final ShortageCause SHORTAGE = new ShortageCause(Path.of("/proc"));

    private static volatile boolean prepared;

    private KernelError() {}

    /**
     * Returns an exception for a failed system call.
     *
     * @param heap the heap that needed it
     * @param size bytes of the buffer
     * @param call the system call's name
     * @param result the negative error number that it returned
     * @return the exception to throw, with the kernel's error number
     */
    public static HeapException of(String heap, long size, String call, int result) {
        return HeapException.ofNumber(-result, Optional.of(heap), refused(size, call, result));
    }

    /**
     * Returns an exception for a failed system call, with another error than its own number.
     *
     * @param errno the error of the exception
     * @param heap the heap that needed it
     * @param size bytes of the buffer
     * @param call the system call's name
     * @param result the negative error number that it returned
     * @return the exception to throw
     */
    public static HeapException of(Errno errno, String heap, long size, String call, int result) {
        return HeapException.of(errno, heap, refused(size, call, result));
    }

    /**
     * Returns an exception for a failed system call that does not make a buffer.
     *
     * @param heap the heap whose buffer it concerns
     * @param call the system call's name
     * @param result the negative error number that it returned
     * @return the exception to throw, with the kernel's error number
     */
    public static HeapException of(String heap, String call, int result) {
        return HeapException.ofNumber(
                -result, heap.isEmpty() ? Optional.empty() : Optional.of(heap), text(call, result));
    }

    /**
     * Returns an exception for an allocation whose mapping failed. It is not ENOMEM, because another heap would not
     * help a process without space for mappings.
     *
     * @param heap the heap that needed the mapping
     * @param refusal the exception of the mapping
     * @return the exception to throw, {@link Errno#EAGAIN} instead of {@link Errno#ENOMEM}
     */
    public static HeapException ofMapping(String heap, HeapException refusal) {
        return refusal.errno() == Errno.ENOMEM
                ? HeapException.of(Errno.EAGAIN, heap, refusal.reason(), refusal)
                : refusal;
    }

    /**
     * Returns the message for a failed system call.
     *
     * @param call the system call's name
     * @param result the negative error number that it returned
     * @return cause and remedy
     */
    public static String text(String call, int result) {
        return call + " failed: " + cause(call, 0, result);
    }

    /**
     * Loads the classes of a refused mapping. At vm.max_map_count there may be no memory for them, and the Java runtime
     * ends then.
     */
    static void prepareForMappings() {
        if (!prepared) {
            of("", Bytes.PAGE, "mmap", -Errno.ENOMEM.number());
            prepared = true;
        }
    }

    /** {@return the remedy for a lack of memory, which is a limit of the machine or of promises} */
    public static String remedyForMemory() {
        return SHORTAGE.remedyForMemory();
    }

    /**
     * Joins instead of concatenating: the first use of a concatenation defines a class, for which there may be no
     * memory during a shortage.
     */
    private static String refused(long size, String call, int result) {
        return String.join("", call, " refused a buffer of ", Bytes.text(size), ": ", cause(call, size, result));
    }

    private static String cause(String call, long size, int result) {
        Errno kernel = Errno.of(-result);
        String what = kernel.number() == -result ? kernel.meaning() : "error " + -result;
        return what + remedy(call, size, kernel);
    }

    private static String remedy(String call, long size, Errno errno) {
        String ofDevice = "";
        if (call.startsWith("open")) {
            Matcher device = DEVICE.matcher(call);
            ofDevice = device.matches()
                    ? deviceRemedy(device.group(2), device.group(1).equals("("), errno)
                    : "";
        } else if (call.contains(" of /dev/")) {
            ofDevice = ioctlRemedy(errno);
        }
        if (!ofDevice.isEmpty()) {
            return ofDevice;
        }
        if (call.startsWith("mlock ")) { // ENOMEM, EPERM and EAGAIN all stand for the limit
            return "; raise the process's limit of locked memory by that size (LimitMEMLOCK= in a unit, ulimit -l), or"
                    + " grant CAP_IPC_LOCK";
        }
        return switch (errno) {
            case EMFILE ->
                (call.equals("inotify_init1") ? "; raise fs.inotify.max_user_instances, or" : ";")
                        + " close buffers and descriptors, or raise the process's limit (ulimit -n, LimitNOFILE= in a"
                        + " unit)";
            case ENFILE -> "; close files in other processes, or raise fs.file-max";
            case ENOMEM ->
                call.equals("mmap")
                        ? "; ".concat(SHORTAGE.remedyForMapping(size))
                        : "; ".concat(SHORTAGE.remedyForMemory());
            case EFBIG ->
                "; raise the process's limit of file sizes, which applies to memfds (LimitFSIZE= in a unit, ulimit -f)";
            case ENOBUFS -> "; the kernel is short of memory: repeat the call later";
            case ETOOMANYREFS ->
                "; the peer must receive the descriptors that are under way, or raise this process's limit of"
                        + " descriptors (LimitNOFILE= in a unit, ulimit -n)";
            case EAFNOSUPPORT ->
                "; a sandbox refuses Unix sockets: permit AF_UNIX in RestrictAddressFamilies= of the unit";
            case EPROTOTYPE -> "; the process listens on a socket of another type; use SOCK_SEQPACKET";
            case EROFS, ENOTDIR, ELOOP -> "; give another path";
            case ENAMETOOLONG -> call.startsWith("connect") ? "; a socket's path has at most 107 bytes" : "";
            case ENOSPC ->
                switch (call) {
                    case "fallocate" -> "; ".concat(SHORTAGE.remedyForMemory());
                    case "inotify_add_watch" -> "; raise fs.inotify.max_user_watches, or close exported buffers";
                    default -> "";
                };
            case EAGAIN ->
                call.equals("mmap")
                        ? "; raise the process's limit of locked memory (LimitMEMLOCK= in a unit, ulimit -l), or end"
                                + " arenas"
                        : "";
            case EPERM, EACCES, ENOSYS -> permissionRemedy(call, errno);
            case EINVAL ->
                call.equals(DmaBufDevices.UDMABUF_CREATE)
                        ? "; its limit for one buffer is in " + DmaBufDevices.UDMABUF_SIZE_LIMIT
                        : "";
            case ENOTTY -> call.equals(DmaBufDevices.HEAP_ALLOC) ? "; its node is not a heap of the kernel" : "";
            case ENOENT -> call.startsWith("open(/proc") ? "; is /proc mounted?" : "";
            default -> "";
        };
    }

    private static String permissionRemedy(String call, Errno errno) {
        Matcher name = NAME.matcher(call);
        if (name.lookingAt() && (errno == Errno.ENOSYS || UNPRIVILEGED.contains(name.group()))) {
            return "; a sandbox refuses this system call: permit " + name.group() + " in SystemCallFilter= of the unit,"
                    + " or in the container's seccomp profile";
        }
        if (errno == Errno.EPERM && (call.startsWith("mmap") || call.startsWith("fcntl"))) {
            return "; a seal forbids it";
        }
        return errno == Errno.EACCES && call.startsWith("connect")
                ? "; this user is not permitted to write to that file or to enter its folder"
                : "";
    }

    private static String ioctlRemedy(Errno errno) {
        return switch (errno) {
            case EBUSY -> "; end the program that uses the device, and repeat the command";
            case ENODEV -> "; connect the device again";
            case ENOTTY -> "; its driver lacks this call, so the device cannot be asked";
            default -> "";
        };
    }

    private static String deviceRemedy(String node, boolean ofHeap, Errno errno) {
        String container = "give a container the node (--device=" + node + ")";
        return switch (errno) {
            case ENOENT, ENODEV, ENXIO ->
                !ofHeap
                        ? "; connect the device, load its driver, and " + container
                        : "; "
                                + (node.equals(DmaBufDevices.UDMABUF) // it cannot be a module, unlike a heap
                                        ? "take a kernel that has CONFIG_UDMABUF=y"
                                        : "load its module, or take a kernel that has this heap (CONFIG_DMABUF_HEAPS)")
                                + ", and " + container;
            case EPERM -> "; " + container + ", or a unit the access (DeviceAllow=" + node + " rw)";
            case EACCES ->
                "; "
                        + new NodeAccess(Path.of(node))
                                .remedy(
                                        ofHeap
                                                ? "an ACL, as the gateway's udev rule 60-dmaheap.rules does"
                                                : "an ACL (setfacl in a udev rule)");
            case EBUSY -> ofHeap ? "" : "; end the process that has the device open";
            default -> "";
        };
    }
}
