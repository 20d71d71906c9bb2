// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.seccomp;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.dmabuf.heap.linux.libc.Libc;

/** {@link SeccompCalls} by the C library. */
final class LinuxSeccompCalls implements SeccompCalls {
    static final LinuxSeccompCalls INSTANCE = new LinuxSeccompCalls();

    /** The C library has no function for seccomp(2), and musl has none for statx(2) before 1.2.5. */
    private static final long SYS_SECCOMP = Libc.systemCall(317, 277);

    private static final long SYS_STATX = Libc.systemCall(332, 291);

    private static final long SECCOMP_GET_NOTIF_SIZES = 3;
    private static final int AT_FDCWD = -100;
    private static final int AT_STATX_DONT_SYNC = 0x4000;

    private static final MethodHandle SECCOMP =
            Libc.linkSystemCall(FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle READLINK =
            Libc.link("readlink", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle STATX =
            Libc.linkSystemCall(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle PROCESS_VM_READV = Libc.link(
            "process_vm_readv",
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle PROCESS_VM_WRITEV = Libc.link(
            "process_vm_writev",
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));

    private LinuxSeccompCalls() {}

    @Override
    public int notificationSizes(long sizes) {
        MemorySegment block = Libc.block();
        try {
            return (int)
                    result(block, (long) SECCOMP.invokeExact(block, SYS_SECCOMP, SECCOMP_GET_NOTIF_SIZES, 0L, sizes));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public long readlink(long path, long text, long bytes) {
        MemorySegment block = Libc.block();
        try {
            return result(block, (long) READLINK.invokeExact(block, path, text, bytes));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int statx(long path, int mask, long status) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int)
                    (long) STATX.invokeExact(block, SYS_STATX, AT_FDCWD, path, AT_STATX_DONT_SYNC, mask, status));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public long read(int tid, long local, long remote) {
        return transfer(PROCESS_VM_READV, tid, local, remote);
    }

    @Override
    public long write(int tid, long local, long remote) {
        return transfer(PROCESS_VM_WRITEV, tid, local, remote);
    }

    private static long transfer(MethodHandle call, int tid, long local, long remote) {
        MemorySegment block = Libc.block();
        try {
            return result(block, (long) call.invokeExact(block, tid, local, 1L, remote, 1L, 0L));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    private static long result(MemorySegment block, long returned) {
        return returned == -1 ? -Libc.errno(block) : returned;
    }
}
