// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.dmabuf.heap.linux.libc.Libc;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Number of this process's cgroup of version 2, read by ioctl(PIDFD_GET_INFO), which exists since kernel 6.13. */
final class CgroupId {
    /** The number is unknown. */
    static final long UNKNOWN = -1;

    private static final long SYS_PIDFD_OPEN = 434; // on all processors
    private static final long PIDFD_GET_INFO = 0xC040FF0BL; // _IOWR(0xFF, 11, struct pidfd_info of 64 bytes)
    private static final long PIDFD_INFO_CGROUPID = 0x4;
    private static final long INFO_BYTES = 64; // u64 mask, u64 cgroupid, and numbers that are not used here

    private static final MethodHandle SYSCALL =
            Libc.linkSystemCall(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_INT));

    private CgroupId() {}

    /** {@return the inode of the cgroup's directory, or {@link #UNKNOWN} if the kernel does not report it} */
    static long ofThisProcess() {
        int pidfd = pidfd(Math.toIntExact(ProcessHandle.current().pid()));
        if (pidfd < 0) {
            return UNKNOWN;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(INFO_BYTES, 8);
            info.set(JAVA_LONG, 0, PIDFD_INFO_CGROUPID);
            int result = Syscalls.linux().ioctl(pidfd, PIDFD_GET_INFO, info.address());
            boolean known = result == 0 && (info.get(JAVA_LONG, 0) & PIDFD_INFO_CGROUPID) != 0;
            return known ? info.get(JAVA_LONG, 8) : UNKNOWN;
        } finally {
            Syscalls.linux().close(pidfd);
        }
    }

    private static int pidfd(int pid) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) (long) SYSCALL.invokeExact(block, SYS_PIDFD_OPEN, pid, 0));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
