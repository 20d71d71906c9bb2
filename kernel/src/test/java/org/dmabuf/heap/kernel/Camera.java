// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Camera of V4L2 that is asked for its opinion of a buffer by calls of its own, without the product's probe. It never
 * streams.
 */
final class Camera implements AutoCloseable {
    /** Answer of the driver, and the slots of 2 KiB into which the kernel copied the buffer. */
    record Answer(int errno, long slots) {
        boolean isZeroCopy() {
            return errno == 0 && slots == 0;
        }

        @Override
        public String toString() {
            return errno != 0 ? Errno.of(errno).name() : slots == 0 ? "ok" : "ok, " + slots + " slots";
        }
    }

    private static final Path SLOTS = Path.of("/sys/kernel/debug/swiotlb/io_tlb_used");
    private static final int O_RDWR = 0x2;
    private static final int CAPTURE = 1; // V4L2_BUF_TYPE_VIDEO_CAPTURE
    private static final int DMABUF = 4; // V4L2_MEMORY_DMABUF
    private static final int YUYV = 0x56595559;

    // struct v4l2_format (208 bytes): type, and at 8 the struct v4l2_pix_format
    private static final long VIDIOC_S_FMT = 0xC0D05605L;
    private static final long WIDTH = 8;
    private static final long HEIGHT = 12;
    private static final long PIXEL_FORMAT = 16;
    private static final long SIZE_IMAGE = 28;
    // struct v4l2_requestbuffers (20 bytes): count, type, memory
    private static final long VIDIOC_REQBUFS = 0xC0145608L;
    // struct v4l2_buffer (88 bytes)
    private static final long VIDIOC_PREPARE_BUF = 0xC058565DL;
    private static final long BUFFER_MEMORY = 60;
    private static final long BUFFER_FD = 64;

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment argument = arena.allocate(256, 8);
    private final int fd;

    Camera(String node) {
        fd = Syscalls.linux().open(node, O_RDWR);
        assertTrue(fd >= 0, () -> node + ": " + fd);
    }

    /** {@return the bytes of a frame of this size} */
    int format(int width, int height) {
        argument.fill((byte) 0);
        argument.set(JAVA_INT, 0, CAPTURE);
        argument.set(JAVA_INT, WIDTH, width);
        argument.set(JAVA_INT, HEIGHT, height);
        argument.set(JAVA_INT, PIXEL_FORMAT, YUYV);
        assertEquals(0, call(VIDIOC_S_FMT));
        assertEquals(width, argument.get(JAVA_INT, WIDTH));
        return argument.get(JAVA_INT, SIZE_IMAGE);
    }

    /** Lets the driver map a buffer and unmap it again. */
    Answer prepare(int buffer) throws IOException {
        requestBuffers(1);
        try {
            long before = slots();
            argument.fill((byte) 0);
            argument.set(JAVA_INT, 4, CAPTURE);
            argument.set(JAVA_INT, BUFFER_MEMORY, DMABUF);
            argument.set(JAVA_INT, BUFFER_FD, buffer);
            int result = call(VIDIOC_PREPARE_BUF);
            return new Answer(-result, slots() - before);
        } finally {
            requestBuffers(0);
        }
    }

    private void requestBuffers(int count) {
        argument.fill((byte) 0);
        argument.set(JAVA_INT, 0, count);
        argument.set(JAVA_INT, 4, CAPTURE);
        argument.set(JAVA_INT, 8, DMABUF);
        assertEquals(0, call(VIDIOC_REQBUFS));
    }

    private int call(long request) {
        return Syscalls.linux().ioctl(fd, request, argument.address());
    }

    /** {@return whether the machine has memory above 4 GiB, which the kernel copies for devices with 32 bits} */
    static boolean canBeCopied() {
        return Files.exists(SLOTS);
    }

    private static long slots() throws IOException {
        return canBeCopied() ? Long.parseLong(Files.readString(SLOTS).strip()) : 0;
    }

    @Override
    public void close() {
        Syscalls.linux().close(fd);
        arena.close();
    }
}
