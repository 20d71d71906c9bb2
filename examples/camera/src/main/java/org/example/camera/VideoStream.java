// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.device.DeviceFile;

/**
 * V4L2 device that captures into dma-bufs in its present format. The numbers, sizes and offsets are those of
 * linux/videodev2.h on 64-bit processors. It is used by one thread.
 */
final class VideoStream implements AutoCloseable {
    // ioctls: direction and size of the struct, 'V', number
    private static final long VIDIOC_QUERYCAP = 0x80685600L;
    private static final long VIDIOC_G_FMT = 0xc0d05604L;
    private static final long VIDIOC_REQBUFS = 0xc0145608L;
    private static final long VIDIOC_QBUF = 0xc058560fL;
    private static final long VIDIOC_DQBUF = 0xc0585611L;
    private static final long VIDIOC_STREAMON = 0x40045612L;

    private static final int CAPTURE = 1; // V4L2_BUF_TYPE_VIDEO_CAPTURE
    private static final int CAPTURE_MPLANE = 9;
    private static final int MEMORY_DMABUF = 4;
    private static final int CAP_DEVICE_CAPS = 0x80000000;
    private static final int CAP_CAPTURE = 0x1;
    private static final int CAP_CAPTURE_MPLANE = 0x1000;
    private static final int FLAG_ERROR = 0x40; // V4L2_BUF_FLAG_ERROR
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
    private static final long BYTESPERLINE = 24;
    private static final long SIZEIMAGE = 28;
    private static final long PLANE_FMT = 28;
    private static final long PLANE_FMT_SIZE = 20;
    private static final long NUM_PLANES = 188;
    // struct v4l2_requestbuffers
    private static final long REQUEST = 20;
    // struct v4l2_buffer and struct v4l2_plane
    private static final long BUFFER = 88;
    private static final long BUFFER_TYPE = 4;
    private static final long BUFFER_BYTESUSED = 8;
    private static final long BUFFER_FLAGS = 12;
    private static final long BUFFER_TIMESTAMP = 24;
    private static final long BUFFER_SEQUENCE = 56;
    private static final long BUFFER_MEMORY = 60;
    private static final long BUFFER_M = 64;
    private static final long BUFFER_LENGTH = 72;
    private static final long PLANE = 64;
    private static final long PLANE_FD = 8;
    private static final long PLANE_DATA_OFFSET = 16;

    private final String path;
    private final DeviceFile device;
    private final int type;
    private final VideoFormat format;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment buffer = arena.allocate(BUFFER, Long.BYTES);
    private final MemorySegment planes = arena.allocate(MOST_PLANES * PLANE, Long.BYTES);

    private VideoStream(String path, DeviceFile device, int type, VideoFormat format) {
        this.path = path;
        this.device = device;
        this.type = type;
        this.format = format;
    }

    /**
     * Opens a camera. Its format stays as it is.
     *
     * @throws HeapException when it cannot be opened, with the remedy, or does not capture
     */
    static VideoStream open(String path) {
        DeviceFile device = DeviceFile.open(path);
        VideoStream opened = null;
        try (Arena arena = Arena.ofConfined()) {
            int type = type(path, device, arena);
            opened = new VideoStream(path, device, type, format(path, device, type, arena));
            return opened;
        } finally {
            if (opened == null) {
                device.close();
            }
        }
    }

    private static int type(String path, DeviceFile device, Arena arena) {
        MemorySegment capability = arena.allocate(CAPABILITY, Long.BYTES);
        device.require("VIDIOC_QUERYCAP", device.ioctl(VIDIOC_QUERYCAP, capability));
        int all = capability.get(JAVA_INT, CAPABILITIES);
        int capabilities = (all & CAP_DEVICE_CAPS) == 0 ? all : capability.get(JAVA_INT, DEVICE_CAPS);
        if ((capabilities & (CAP_CAPTURE | CAP_CAPTURE_MPLANE)) == 0) {
            throw HeapException.of(
                    Errno.ENOTSUP, "capturing from " + path + " failed: it is not a camera; name another device");
        }
        return (capabilities & CAP_CAPTURE) != 0 ? CAPTURE : CAPTURE_MPLANE;
    }

    private static VideoFormat format(String path, DeviceFile device, int type, Arena arena) {
        MemorySegment format = arena.allocate(FORMAT, Long.BYTES);
        format.set(JAVA_INT, 0, type);
        device.require("VIDIOC_G_FMT", device.ioctl(VIDIOC_G_FMT, format));
        boolean hasPlanes = type == CAPTURE_MPLANE;
        int planes = hasPlanes ? Byte.toUnsignedInt(format.get(JAVA_BYTE, NUM_PLANES)) : 1;
        if (planes < 1 || planes > MOST_PLANES) {
            throw HeapException.of(
                    Errno.EIO,
                    "VIDIOC_G_FMT of " + path + " failed: the driver answered with a format of " + planes
                            + " planes; report that to its vendor");
        }
        return new VideoFormat(
                format.get(JAVA_INT, WIDTH),
                format.get(JAVA_INT, HEIGHT),
                format.get(JAVA_INT, PIXELFORMAT),
                format.get(JAVA_INT, hasPlanes ? PLANE_FMT + Integer.BYTES : BYTESPERLINE),
                IntStream.range(0, planes)
                        .map(plane -> format.get(JAVA_INT, hasPlanes ? PLANE_FMT + plane * PLANE_FMT_SIZE : SIZEIMAGE))
                        .boxed()
                        .toList());
    }

    VideoFormat format() {
        return format;
    }

    /** Makes entries for frames, which have no memory yet. */
    void request(int frames) {
        MemorySegment request = arena.allocate(REQUEST, Long.BYTES);
        request.set(JAVA_INT, 0, frames);
        request.set(JAVA_INT, 4, type);
        request.set(JAVA_INT, 8, MEMORY_DMABUF);
        device.require("VIDIOC_REQBUFS", device.ioctl(VIDIOC_REQBUFS, request));
        if (request.get(JAVA_INT, 0) != frames) {
            throw HeapException.of(
                    Errno.EINVAL,
                    "VIDIOC_REQBUFS of " + path + " failed: the driver wants " + request.get(JAVA_INT, 0)
                            + " frames in its queue; give it this number");
        }
    }

    /**
     * Gives a frame to the driver, which keeps the memory until the frame is taken.
     *
     * @param index number of the entry
     * @param memory a descriptor for each plane, the same ones each time
     */
    void queue(int index, List<OwnedFd> memory) {
        prepare();
        buffer.set(JAVA_INT, 0, index);
        if (type == CAPTURE_MPLANE) {
            for (int plane = 0; plane < memory.size(); plane++) {
                planes.set(JAVA_INT, plane * PLANE + PLANE_FD, memory.get(plane).fd());
            }
        } else {
            buffer.set(JAVA_INT, BUFFER_M, memory.getFirst().fd());
        }
        device.require("VIDIOC_QBUF", device.ioctl(VIDIOC_QBUF, buffer));
    }

    private void prepare() {
        buffer.fill((byte) 0);
        buffer.set(JAVA_INT, BUFFER_TYPE, type);
        buffer.set(JAVA_INT, BUFFER_MEMORY, MEMORY_DMABUF);
        if (type == CAPTURE_MPLANE) {
            planes.fill((byte) 0);
            buffer.set(ADDRESS, BUFFER_M, planes);
            buffer.set(JAVA_INT, BUFFER_LENGTH, format.planes().size());
        }
    }

    void start() {
        device.require("VIDIOC_STREAMON", device.ioctl(VIDIOC_STREAMON, arena.allocateFrom(JAVA_INT, type)));
    }

    /**
     * Waits for the next filled frame and takes it from the driver.
     *
     * @throws HeapException {@link Errno#ETIMEDOUT} when no frame came, {@link Errno#EINTR} when the thread was
     *     interrupted, {@link Errno#EIO} for a frame that the driver marked as damaged
     */
    CapturedFrame take(long seconds) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (device.poll(DeviceFile.POLLIN, 250) <= 0) { // in pieces, because an interrupt does not end it
            if (Thread.interrupted()) {
                throw HeapException.of(Errno.EINTR, "the wait for a frame of " + path + " was interrupted");
            }
            if (System.nanoTime() > end) {
                throw HeapException.of(Errno.ETIMEDOUT, path + " gave no frame within " + seconds + " s");
            }
        }
        prepare();
        device.require("VIDIOC_DQBUF", device.ioctl(VIDIOC_DQBUF, buffer));
        long taken = System.nanoTime();
        if ((buffer.get(JAVA_INT, BUFFER_FLAGS) & FLAG_ERROR) != 0) {
            throw HeapException.of(Errno.EIO, path + " gave a damaged frame");
        }
        List<CapturedFrame.Span> spans = new ArrayList<>();
        for (int plane = 0; plane < format.planes().size(); plane++) {
            spans.add(
                    type == CAPTURE_MPLANE
                            ? span(plane)
                            : new CapturedFrame.Span(0, buffer.get(JAVA_INT, BUFFER_BYTESUSED)));
        }
        long captured = TimeUnit.SECONDS.toNanos(buffer.get(JAVA_LONG, BUFFER_TIMESTAMP))
                + TimeUnit.MICROSECONDS.toNanos(buffer.get(JAVA_LONG, BUFFER_TIMESTAMP + Long.BYTES));
        return new CapturedFrame(
                buffer.get(JAVA_INT, 0),
                Integer.toUnsignedLong(buffer.get(JAVA_INT, BUFFER_SEQUENCE)),
                captured,
                taken,
                spans);
    }

    private CapturedFrame.Span span(int plane) {
        int offset = planes.get(JAVA_INT, plane * PLANE + PLANE_DATA_OFFSET); // the used bytes include it
        return new CapturedFrame.Span(offset, planes.get(JAVA_INT, plane * PLANE) - offset);
    }

    /** Closes the device. The kernel then ends the stream and releases the memory in its queue. */
    @Override
    public void close() {
        device.close();
        arena.close();
    }
}
