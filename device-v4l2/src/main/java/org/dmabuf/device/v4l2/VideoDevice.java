// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.v4l2;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.device.DeviceFile;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Open V4L2 device with the ioctls on its formats and its memory. No call starts a stream. The numbers, sizes and
 * offsets are those of linux/videodev2.h on 64-bit processors.
 */
final class VideoDevice implements AutoCloseable {
    // ioctls: direction and size of the struct, 'V', number
    static final long VIDIOC_QUERYCAP = 0x80685600L;
    static final long VIDIOC_G_FMT = 0xc0d05604L;
    static final long VIDIOC_REQBUFS = 0xc0145608L;
    static final long VIDIOC_CREATE_BUFS = 0xc100565cL;
    static final long VIDIOC_PREPARE_BUF = 0xc058565dL;

    static final int MEMORY_DMABUF = 4;
    static final int CAN_IMPORT = 0x4; // V4L2_BUF_CAP_SUPPORTS_DMABUF
    static final int CAP_STREAMING = 0x4000000;
    static final int CAP_DEVICE_CAPS = 0x80000000;
    /** VIDEO_MAX_PLANES. */
    private static final int MOST_PLANES = 8;

    // struct v4l2_capability
    private static final long CAPABILITY = 104;
    private static final long CAPABILITIES = 84;
    private static final long DEVICE_CAPS = 88;
    // struct v4l2_format: of a format with one plane, of one with several, and of a plane in it
    private static final long FORMAT = 208;
    private static final long WIDTH = 8;
    private static final long HEIGHT = 12;
    private static final long PIXELFORMAT = 16;
    private static final long FIELD = 20;
    private static final long SIZEIMAGE = 28;
    private static final long PLANE_FMT = 28;
    private static final long PLANE_FMT_SIZE = 20;
    private static final long NUM_PLANES = 188;
    // struct v4l2_requestbuffers
    private static final long REQUEST = 20;
    private static final long REQUEST_TYPE = 4;
    private static final long REQUEST_MEMORY = 8;
    private static final long REQUEST_CAPABILITIES = 12;
    // struct v4l2_create_buffers
    private static final long CREATE = 256;
    private static final long CREATE_MEMORY = 8;
    private static final long CREATE_FORMAT = 16;
    private static final long CREATE_CAPABILITIES = 224;
    // struct v4l2_buffer and struct v4l2_plane
    private static final long BUFFER = 88;
    private static final long BUFFER_TYPE = 4;
    private static final long BUFFER_FIELD = 16;
    private static final long BUFFER_MEMORY = 60;
    private static final long BUFFER_M = 64;
    private static final long BUFFER_LENGTH = 72;
    private static final long PLANE = 64;
    private static final long PLANE_FD = 8;

    private final String path;
    private final DeviceFile file;

    private VideoDevice(String path, DeviceFile file) {
        this.path = path;
        this.file = file;
    }

    /**
     * Opens a device.
     *
     * @param path of its node
     * @param syscalls the kernel
     * @return the device, which the caller closes
     * @throws HeapException when it cannot be opened, with the remedy
     */
    static VideoDevice open(String path, Syscalls syscalls) {
        return new VideoDevice(path, DeviceFile.open(path, syscalls));
    }

    /** {@return the capabilities of this device, as {@code V4L2_CAP_*}} */
    int capabilities() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capability = arena.allocate(CAPABILITY, Long.BYTES);
            file.require("VIDIOC_QUERYCAP", file.ioctl(VIDIOC_QUERYCAP, capability));
            int all = capability.get(JAVA_INT, CAPABILITIES);
            return (all & CAP_DEVICE_CAPS) == 0 ? all : capability.get(JAVA_INT, DEVICE_CAPS);
        }
    }

    /**
     * Reads the present format of a queue.
     *
     * @throws HeapException {@link Errno#EIO} for an impossible answer
     */
    VideoFormat format(VideoQueue queue) {
        try (Arena arena = Arena.ofConfined()) {
            return read(queue, format(queue, arena));
        }
    }

    private MemorySegment format(VideoQueue queue, Arena arena) {
        MemorySegment format = arena.allocate(FORMAT, Long.BYTES);
        format.set(JAVA_INT, 0, queue.type());
        file.require("VIDIOC_G_FMT", file.ioctl(VIDIOC_G_FMT, format));
        return format;
    }

    private VideoFormat read(VideoQueue queue, MemorySegment format) {
        int planes = queue.hasPlanes() ? Byte.toUnsignedInt(format.get(JAVA_BYTE, NUM_PLANES)) : 1;
        if (planes < 1 || planes > MOST_PLANES) {
            throw unusable("VIDIOC_G_FMT", "a format of " + planes + " planes");
        }
        long sizes = queue.hasPlanes() ? PLANE_FMT : SIZEIMAGE;
        return new VideoFormat(
                Integer.toUnsignedLong(format.get(JAVA_INT, WIDTH)),
                Integer.toUnsignedLong(format.get(JAVA_INT, HEIGHT)),
                format.get(JAVA_INT, PIXELFORMAT),
                format.get(JAVA_INT, FIELD),
                IntStream.range(0, planes)
                        .mapToObj(plane -> Integer.toUnsignedLong(format.get(JAVA_INT, sizes + plane * PLANE_FMT_SIZE)))
                        .toList());
    }

    /**
     * Returns whether a queue imports dma-bufs. The call makes no buffers. A driver without VIDIOC_CREATE_BUFS is asked
     * by VIDIOC_REQBUFS with no buffers, which changes nothing unless this process has buffers of the device.
     *
     * @return true also if the device is in use and its driver does not answer then
     * @throws HeapException when the driver cannot be asked
     */
    boolean canImport(VideoQueue queue) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment create = arena.allocate(CREATE, Long.BYTES);
            create.set(JAVA_INT, CREATE_MEMORY, MEMORY_DMABUF);
            create.asSlice(CREATE_FORMAT, FORMAT).copyFrom(format(queue, arena));
            int result = file.ioctl(VIDIOC_CREATE_BUFS, create);
            if (result != -Errno.ENOTTY.number()) {
                return isSupported("VIDIOC_CREATE_BUFS", result, create.get(JAVA_INT, CREATE_CAPABILITIES));
            }
            MemorySegment request = request(arena, queue, 0);
            int other = file.ioctl(VIDIOC_REQBUFS, request);
            return isSupported("VIDIOC_REQBUFS", other, request.get(JAVA_INT, REQUEST_CAPABILITIES));
        }
    }

    private boolean isSupported(String call, int result, int capabilities) {
        if (result == -Errno.EINVAL.number()) {
            return false; // of the kind of memory, the only argument that is not the driver's own
        }
        if (result == -Errno.EBUSY.number()) {
            return true; // some drivers refuse to answer while a program uses the device; an import shows it then
        }
        file.require(call, result);
        return (capabilities & CAN_IMPORT) != 0;
    }

    /**
     * Makes entries for dma-bufs in a queue, or removes them with the buffers that they hold.
     *
     * @param count number of entries, 0 to remove them
     * @throws HeapException {@link Errno#EBUSY} when another process uses the queue
     */
    void requestBuffers(VideoQueue queue, int count) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = request(arena, queue, count);
            file.require("VIDIOC_REQBUFS", file.ioctl(VIDIOC_REQBUFS, request));
            if (request.get(JAVA_INT, 0) < count) {
                throw unusable("VIDIOC_REQBUFS", "no entry for a buffer");
            }
        }
    }

    private static MemorySegment request(Arena arena, VideoQueue queue, int count) {
        MemorySegment request = arena.allocate(REQUEST, Long.BYTES);
        request.set(JAVA_INT, 0, count);
        request.set(JAVA_INT, REQUEST_TYPE, queue.type());
        request.set(JAVA_INT, REQUEST_MEMORY, MEMORY_DMABUF);
        return request;
    }

    /**
     * Asks the driver to take a dma-buf as its first buffer, for each plane.
     *
     * @param format the queue's present format
     * @param fd descriptor of the dma-buf
     * @return 0, or the negative error number of a refusal
     * @throws HeapException when the device has gone, or the driver lacks this call
     */
    int prepare(VideoQueue queue, VideoFormat format, int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(BUFFER, Long.BYTES);
            buffer.set(JAVA_INT, BUFFER_TYPE, queue.type());
            buffer.set(JAVA_INT, BUFFER_FIELD, format.field());
            buffer.set(JAVA_INT, BUFFER_MEMORY, MEMORY_DMABUF);
            if (queue.hasPlanes()) {
                int count = format.planes().size();
                MemorySegment planes = arena.allocate(count * PLANE, Long.BYTES);
                for (int plane = 0; plane < count; plane++) {
                    planes.set(JAVA_INT, plane * PLANE + PLANE_FD, fd);
                }
                buffer.set(ADDRESS, BUFFER_M, planes);
                buffer.set(JAVA_INT, BUFFER_LENGTH, count);
            } else {
                buffer.set(JAVA_INT, BUFFER_M, fd);
            }
            int result = file.ioctl(VIDIOC_PREPARE_BUF, buffer);
            if (result == -Errno.ENODEV.number() || result == -Errno.ENOTTY.number()) {
                file.require("VIDIOC_PREPARE_BUF", result);
            }
            return Math.min(0, result);
        }
    }

    private HeapException unusable(String call, String answer) {
        return HeapException.of(
                Errno.EIO,
                call + " of " + path + " failed: the driver answered with " + answer + "; report that to its"
                        + " vendor");
    }

    /** {@return the refusal of a size that no device needs, to throw before a heap is asked for so much memory} */
    HeapException unusableSize(long size) {
        return unusable("VIDIOC_G_FMT", "a buffer of " + size + " bytes");
    }

    @Override
    public void close() {
        file.close();
    }
}
