// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/** Conversion of the kernel's error numbers to exceptions with cause and remedy. */
public final class KernelError {
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
        return call + " failed: " + cause(call, result);
    }

    /**
     * Joins instead of concatenating: the first use of a concatenation defines a class, for which there may be no
     * memory during a shortage.
     */
    private static String refused(long size, String call, int result) {
        return String.join("", call, " refused a buffer of ", Bytes.text(size), ": ", cause(call, result));
    }

    private static String cause(String call, int result) {
        Errno kernel = Errno.of(-result);
        String what = kernel == Errno.EIO && result != -Errno.EIO.number() ? "error " + -result : kernel.meaning();
        return what + remedy(call, kernel);
    }

    private static String remedy(String call, Errno errno) {
        String device = "";
        if (call.startsWith("open(/dev/")) {
            device = heapDeviceRemedy(call, errno);
        } else if (call.startsWith("open of /dev/")) {
            device = otherDeviceRemedy(errno);
        } else if (call.contains(" of /dev/")) {
            device = ioctlRemedy(errno);
        }
        if (!device.isEmpty()) {
            return device;
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
                        ? "; end arenas that are no longer needed, or raise vm.max_map_count"
                        : "; ask for less, or close buffers";
            case ENOSPC ->
                switch (call) {
                    case "fallocate" -> "; ask for less, or close buffers";
                    case "inotify_add_watch" -> "; raise fs.inotify.max_user_watches, or close exported buffers";
                    default -> "";
                };
            case EAGAIN ->
                call.equals("mmap")
                        ? "; raise the process's limit of locked memory (LimitMEMLOCK= in a unit, ulimit -l), or end"
                                + " arenas"
                        : "";
            case EPERM -> call.startsWith("mmap") || call.startsWith("fcntl") ? "; a seal forbids it" : "";
            case ENOSYS -> "; this kernel is too old";
            case EINVAL ->
                call.equals(DmaBufDevices.UDMABUF_CREATE)
                        ? "; its limit for one buffer is in " + DmaBufDevices.UDMABUF_SIZE_LIMIT
                        : "";
            case ENOTTY -> call.equals(DmaBufDevices.HEAP_ALLOC) ? "; its node is not a heap of the kernel" : "";
            case ENOENT -> call.startsWith("open(/proc") ? "; is /proc mounted?" : "";
            default -> "";
        };
    }

    private static String otherDeviceRemedy(Errno errno) {
        return switch (errno) {
            case ENOENT, ENODEV, ENXIO -> "; connect the device, load its driver, and give a container its node";
            case EACCES, EPERM -> "; give the node to a group that this process is in, by a udev rule";
            case EBUSY -> "; end the process that has the device open";
            default -> "";
        };
    }

    private static String ioctlRemedy(Errno errno) {
        return switch (errno) {
            case EBUSY -> "; end the program that uses the device, and repeat the command";
            case ENODEV -> "; connect the device again";
            case ENOTTY -> "; its driver lacks this call, so the device cannot be asked";
            default -> "";
        };
    }

    private static String heapDeviceRemedy(String call, Errno errno) {
        return switch (errno) {
            case ENOENT, ENODEV, ENXIO ->
                call.contains(DmaBufDevices.UDMABUF)
                        ? "; load the module (modprobe udmabuf), or take a kernel that has CONFIG_UDMABUF"
                        : "; take a kernel that has this heap (CONFIG_DMABUF_HEAPS), and give a container the node";
            case EACCES, EPERM ->
                "; give the node to a group that this process is in: the gateway's udev rule 60-dmaheap.rules gives it"
                        + " to dmaheap";
            default -> "";
        };
    }
}
