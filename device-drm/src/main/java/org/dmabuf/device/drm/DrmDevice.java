// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.drm;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.device.DeviceFile;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Open DRM device with the ioctls on imports. It is not the device's master, so that a display server can start
 * meanwhile. The numbers and offsets are those of drm/drm.h.
 */
final class DrmDevice implements AutoCloseable {
    // ioctls: direction and size of the struct, 'd', number
    static final long DROP_MASTER = 0x641fL;
    static final long PRIME_FD_TO_HANDLE = 0xc00c642eL;
    static final long GEM_CLOSE = 0x40086409L;

    // struct drm_prime_handle: handle, flags, fd; and struct drm_gem_close: handle, pad
    private static final long STRUCT = 12;
    private static final long PRIME_FD = 8;

    private final DeviceFile file;

    private DrmDevice(DeviceFile file) {
        this.file = file;
    }

    /**
     * Opens a device. The kernel makes the first process that opens a display its master. Only the master may
     * change the picture. This process gives that up at once.
     *
     * @param path of its node
     * @param syscalls the kernel
     * @return the device, which the caller closes
     * @throws HeapException when it cannot be opened, with the remedy
     */
    static DrmDevice open(String path, Syscalls syscalls) {
        DrmDevice device = new DrmDevice(DeviceFile.open(path, syscalls));
        boolean opened = false;
        try (Arena arena = Arena.ofConfined()) {
            device.file.ioctl(DROP_MASTER, arena.allocate(STRUCT)); // fails if another process is the master
            opened = true;
            return device;
        } finally {
            if (!opened) {
                device.close();
            }
        }
    }

    /**
     * Imports a dma-buf, and releases the import.
     *
     * @param fd descriptor of the dma-buf
     * @return 0, or the negative error number of a refusal
     * @throws HeapException when the device cannot be asked
     */
    int attach(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment struct = arena.allocate(STRUCT, Long.BYTES);
            struct.set(JAVA_INT, PRIME_FD, fd);
            int result = file.ioctl(PRIME_FD_TO_HANDLE, struct);
            if (result >= 0) {
                struct.set(JAVA_INT, Integer.BYTES, 0);
                file.require("DRM_IOCTL_GEM_CLOSE", file.ioctl(GEM_CLOSE, struct));
            } else if (result == -Errno.ENODEV.number() || result == -Errno.EACCES.number()) {
                file.require("DRM_IOCTL_PRIME_FD_TO_HANDLE", result);
            }
            return Math.min(0, result);
        }
    }

    @Override
    public void close() {
        file.close();
    }
}
