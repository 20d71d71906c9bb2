// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.device;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.DeviceNode;
import org.dmabuf.heap.linux.libc.Libc;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * An open device node, for a bundle that makes ioctls of its own: V4L2, DRM or a vendor's. The bundle has the numbers
 * of these ioctls and the layouts of their structs. It needs no permission for native access, since this bundle makes
 * the calls.
 *
 * <p>Any thread may call any method. A close while another thread is in a call takes effect when that call returns.
 */
public final class DeviceFile implements AutoCloseable {
    /** Event of {@link #poll}: there is data to read, or a filled buffer to take. */
    public static final int POLLIN = 0x1;
    /** Event of {@link #poll}: something exceptional happened, such as a V4L2 event. */
    public static final int POLLPRI = 0x2;
    /** Event of {@link #poll}: there is room to write, or a buffer that was used. */
    public static final int POLLOUT = 0x4;
    /** Event that {@link #poll} reports unasked: the device failed. */
    public static final int POLLERR = 0x8;
    /** Event that {@link #poll} reports unasked: the device has gone. */
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
     * Opens a device node for reading and writing, close-on-exec. Its reads and dequeuing ioctls do not wait: they
     * return {@link Errno#EAGAIN}, and {@link #poll} waits.
     *
     * @param path of the node, for instance {@code /dev/video0}; at most 255 bytes of UTF-8
     * @return the device, which the caller closes
     * @throws HeapException {@link Errno#ENOENT} where there is no such node, {@link Errno#EACCES} for one that this
     *     process may not open, {@link Errno#ENOTTY} for a file that is no character device; any other as the kernel
     *     has it; nothing is open then
     */
    public static DeviceFile open(String path) {
        return open(path, Syscalls.linux());
    }

    /**
     * As {@link #open(String)}, with calls that a test can replace.
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
     * Makes an ioctl(2) with a struct. A call that a signal interrupts is made again.
     *
     * @param request the ioctl's number, with direction and size as the kernel's header has them
     * @param argument native memory, which the kernel reads and writes; as large as the number states, or as the
     *     caller knows where the number states no size. The caller keeps its arena open during the call
     * @return 0 or more as the request has it, or the negative error number: {@link Errno#number()}
     * @throws IllegalArgumentException for an argument that is smaller than the request's number states, not native, or
     *     read-only where the kernel writes
     * @throws IllegalStateException when the arena of the argument is closed
     * @throws WrongThreadException when it is confined to another thread
     * @throws HeapException {@link Errno#ENODEV} when this is closed
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
            Reference.reachabilityFence(argument); // only its address went along
        }
    }

    /** Java checks no access that the kernel makes: it would write past the segment, or into memory that was freed. */
    private static void requireUsable(long request, MemorySegment argument) {
        long size = request >>> 16 & IOC_SIZE;
        if (!argument.isNative() || argument.byteSize() < size) {
            throw new IllegalArgumentException("ioctl 0x" + Long.toHexString(request) + " takes " + size
                    + " bytes of native memory; the segment has " + argument.byteSize() + " bytes "
                    + (argument.isNative() ? "of native memory" : "of Java's heap"));
        }
        if ((request >>> 30 & IOC_READ) != 0 && argument.isReadOnly()) {
            throw new IllegalArgumentException("ioctl 0x" + Long.toHexString(request)
                    + " writes into its argument, and the segment is read-only");
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
     * Waits until the device has something to do.
     *
     * @param events {@link #POLLIN}, {@link #POLLPRI}, {@link #POLLOUT}, or several of them
     * @param millis how long to wait at most; 0 only looks, a negative number waits without limit
     * @return the events that happened, {@link #POLLERR} and {@link #POLLHUP} among them; 0 when the time is over; or
     *     the negative error number, which is that of {@link Errno#EINTR} when a signal came
     * @throws HeapException {@link Errno#ENODEV} when this is closed
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

    /** Closes the node, or leaves that to the calls under way. Closing twice does nothing. */
    @Override
    public void close() {
        node.close();
    }
}
