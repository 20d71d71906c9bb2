// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.device.DeviceFile;

/** The kernel's virtual device vgem, whose work on a buffer ends when the test says so, or after 10 seconds. */
final class Vgem implements AutoCloseable {
    // ioctls of the kernel's drm.h and vgem_drm.h
    private static final long PRIME_FD_TO_HANDLE = 0xc00c642eL; // u32 handle, u32 flags, s32 fd
    private static final long GEM_CLOSE = 0x40086409L; // u32 handle, u32 pad
    private static final long FENCE_ATTACH = 0xc0106441L; // u32 handle, u32 flags, u32 out_fence, u32 pad
    private static final long FENCE_SIGNAL = 0x40086442L; // u32 fence, u32 flags
    private static final int VGEM_FENCE_WRITE = 0x1;

    private final DeviceFile device;

    Vgem() throws IOException {
        device = DeviceFile.open(DisplayConstraintsIT.card("vgem"));
    }

    /** Imports a buffer. {@return the device's handle of it} */
    int attach(DmaBuf buffer) {
        try (OwnedFd fd = buffer.exportFd();
                Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(12, 4);
            argument.set(JAVA_INT, 8, fd.fd());
            assertEquals(0, device.ioctl(PRIME_FD_TO_HANDLE, argument));
            return argument.get(JAVA_INT, 0);
        }
    }

    void detach(int handle) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(8, 4);
            argument.set(JAVA_INT, 0, handle);
            assertEquals(0, device.ioctl(GEM_CLOSE, argument));
        }
    }

    int beginReading(int handle) {
        return begin(handle, 0);
    }

    int beginWriting(int handle) {
        return begin(handle, VGEM_FENCE_WRITE);
    }

    /** Begins work on a buffer. {@return the number of the work} */
    private int begin(int handle, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(16, 4);
            argument.set(JAVA_INT, 0, handle);
            argument.set(JAVA_INT, 4, flags);
            assertEquals(0, device.ioctl(FENCE_ATTACH, argument));
            return argument.get(JAVA_INT, 8);
        }
    }

    /** Ends work. {@return 0, or the negative number of ETIMEDOUT if the device has given up before} */
    int end(int work) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(8, 4);
            argument.set(JAVA_INT, 0, work);
            return device.ioctl(FENCE_SIGNAL, argument);
        }
    }

    @Override
    public void close() {
        device.close();
    }
}
