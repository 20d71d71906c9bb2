// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.seccomp;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * File system of all memfds of the machine. The kernel mounts it for itself, so no process can open a file there by a
 * path. A look at the status therefore recognizes a memfd without its name. Memfds of huge pages are on another one.
 */
public final class MemfdFileSystem {
    private static final int STATX_BYTES = 256;

    private final int major;
    private final int minor;

    private MemfdFileSystem(int major, int minor) {
        this.major = major;
        this.minor = minor;
    }

    /**
     * Finds the file system by a memfd, which is closed again.
     *
     * @throws IllegalStateException when this process has no free descriptor, or no {@code /proc}
     */
    public static MemfdFileSystem find() {
        int fd = Syscalls.linux().memfdCreate("probe", Memfd.MFD_CLOEXEC);
        require("memfd_create", fd);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment path = arena.allocateFrom("/proc/self/fd/" + fd);
            MemorySegment status = arena.allocate(STATX_BYTES, 8);
            require("statx of /proc/self/fd", SeccompCalls.linux().statx(path.address(), 0, status.address()));
            return new MemfdFileSystem(TrappedCall.deviceMajor(status), TrappedCall.deviceMinor(status));
        } finally {
            Syscalls.linux().close(fd);
        }
    }

    private static void require(String call, int result) {
        if (result < 0) {
            throw new IllegalStateException(call + " failed: "
                    + Errno.of(-result).meaning() + "; raise the limit of descriptors, or mount /proc");
        }
    }

    /** {@return whether the file of the last {@link TrappedCall#readStatus} is on this file system} */
    public boolean hasFileOf(TrappedCall call) {
        return call.isOn(major, minor);
    }
}
