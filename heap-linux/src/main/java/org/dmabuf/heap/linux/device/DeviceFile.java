// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.device;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.DeviceNode;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.libc.Libc;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Open device node for a bundle that makes ioctls of its own: V4L2, DRM or a vendor's. The bundle knows the numbers and
 * structs of these ioctls. It needs no permission for native access, because heap-linux makes the calls.
 *
 * <p>Any thread may call any method. A close while another thread is in a call takes effect when that call returns.
 */
public final class DeviceFile implements AutoCloseable {
    /** Event of {@link #poll}: data can be read, or a filled buffer dequeued. */
    public static final int POLLIN = 0x1;
    /** Event of {@link #poll}: an exceptional condition, such as a V4L2 event. */
    public static final int POLLPRI = 0x2;
    /** Event of {@link #poll}: data can be written, or a used buffer dequeued. */
    public static final int POLLOUT = 0x4;
    /** Event that {@link #poll} always reports: the device failed. */
    public static final int POLLERR = 0x8;
    /** Event that {@link #poll} always reports: the device was removed. */
    public static final int POLLHUP = 0x10;

    // fields of an ioctl's number, at bits 16 and 30 on all three processors
    private static final long IOC_SIZE = 0x3fff;
    private static final long IOC_READ = 0x2;

    // offsets in struct pollfd (8 bytes)
    private static final long POLLFD_EVENTS = 4; // a short
    private static final long POLLFD_REVENTS = 6; // a short

    private final Syscalls syscalls;
    private final DeviceNode node;

    private DeviceFile(Syscalls syscalls, DeviceNode node) {
        this.syscalls = syscalls;
        this.node = node;
    }

    /**
     * Opens a device node for reading and writing, close-on-exec. Its reads and dequeuing ioctls do not block but
     * return {@link Errno#EAGAIN}; use {@link #poll} to wait.
     *
     * @param path of the node, for instance {@code /dev/video0}; at most 255 bytes of UTF-8
     * @return the device, which the caller closes
     * @throws HeapException {@link Errno#ENOENT} if the node does not exist, {@link Errno#EACCES} if this process may
     *     not open it, {@link Errno#ENOTTY} for a file that is not a character device, or any other error of the
     *     kernel; nothing is open then
     */
    public static DeviceFile open(String path) {
        return open(path, Syscalls.linux());
    }

    /**
     * As {@link #open(String)}, with system calls that a test can replace.
     *
     * @param path of the node
     * @param syscalls the kernel
     * @return the device, which the caller closes
     * @throws HeapException as {@link #open(String)}
     */
    public static DeviceFile open(String path, Syscalls syscalls) {
        return new DeviceFile(syscalls, DeviceNode.openForUse(syscalls, path));
    }

    /**
     * Makes an ioctl(2) with a struct. A call interrupted by a signal is repeated.
     *
     * @param request the ioctl's number, with direction and size as in the kernel's header
     * @param argument native memory, which the kernel reads and writes. It must have the size that the number states;
     *     if the number states none, the caller must know the size. The caller keeps its arena open during the call
     * @return the result of the ioctl, 0 or more, or a negative error number: {@link Errno#number()}
     * @throws IllegalArgumentException for an argument that is smaller than the request's number states, is not native,
     *     or is read-only although the kernel writes it
     * @throws IllegalStateException when the arena of the argument is closed
     * @throws WrongThreadException when that arena is confined to another thread
     * @throws HeapException {@link Errno#ENODEV} when this device is closed
     */
    public int ioctl(long request, MemorySegment argument) {
        requireUsable(request, argument);
        int fd = node.enter();
        try {
            int result;
            do {
                result = syscalls.ioctl(fd, request, argument.address());
            } while (result == -Errno.EINTR.number());
            return result;
        } finally {
            node.leave();
            Reference.reachabilityFence(argument); // the call has only its address
        }
    }

    /**
     * Requires that an ioctl succeeded.
     *
     * @param call name of the ioctl, for the message
     * @param result of {@link #ioctl}
     * @throws HeapException for a negative result, with the kernel's error number, the path, and the remedy
     */
    public void require(String call, int result) {
        if (result < 0) {
            throw KernelError.of("", call + " of " + node.path(), result);
        }
    }

    /**
     * Checks the argument. Java does not check accesses of the kernel, which could write past the segment or into freed
     * memory.
     */
    private static void requireUsable(long request, MemorySegment argument) {
        long size = request >>> 16 & IOC_SIZE;
        if (!argument.isNative() || argument.byteSize() < size) {
            throw new IllegalArgumentException("ioctl 0x" + Long.toHexString(request) + " takes " + size
                    + " bytes of native memory; the segment has " + argument.byteSize() + " bytes "
                    + (argument.isNative() ? "of native memory" : "of Java's heap"));
        }
        if ((request >>> 30 & IOC_READ) != 0 && argument.isReadOnly()) {
            throw new IllegalArgumentException(
                    "ioctl 0x" + Long.toHexString(request) + " writes into its argument, and the segment is read-only");
        }
        if (!argument.scope().isAlive()) {
            throw new IllegalStateException(
                    "ioctl 0x" + Long.toHexString(request) + ": the arena of the argument is closed");
        }
        if (!argument.isAccessibleBy(Thread.currentThread())) {
            throw new WrongThreadException("ioctl 0x" + Long.toHexString(request)
                    + ": the argument is of an arena that is confined to another thread");
        }
    }

    /**
     * Waits for events of the device.
     *
     * @param events {@link #POLLIN}, {@link #POLLPRI}, {@link #POLLOUT}, or several of them
     * @param millis longest wait; 0 returns at once, a negative number waits without limit
     * @return the events that occurred, including {@link #POLLERR} and {@link #POLLHUP}; 0 after the time has passed;
     *     or a negative error number, for instance of {@link Errno#EINTR} after a signal
     * @throws HeapException {@link Errno#ENODEV} when this device is closed
     */
    public int poll(int events, int millis) {
        int fd = node.enter();
        try {
            MemorySegment block = Libc.block();
            block.set(JAVA_INT, Libc.STRUCT, fd);
            block.set(JAVA_SHORT, Libc.STRUCT + POLLFD_EVENTS, (short) events);
            block.set(JAVA_SHORT, Libc.STRUCT + POLLFD_REVENTS, (short) 0);
            int ready = syscalls.poll(block.address() + Libc.STRUCT, 1, millis);
            return ready < 0 ? ready : Short.toUnsignedInt(block.get(JAVA_SHORT, Libc.STRUCT + POLLFD_REVENTS));
        } finally {
            node.leave();
        }
    }

    /** Closes the node, or lets the last call in progress close it. Closing twice does nothing. */
    @Override
    public void close() {
        node.close();
    }
}
