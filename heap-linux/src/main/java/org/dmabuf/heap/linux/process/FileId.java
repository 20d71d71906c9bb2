// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import org.dmabuf.heap.linux.libc.DeviceNumber;
import org.dmabuf.heap.linux.libc.Libc;

/**
 * Identity of a file on this machine.
 *
 * @param fileSystem {@code st_dev}
 * @param inode inode number
 */
record FileId(long fileSystem, long inode) {
    private static final long SYS_STATX = Libc.systemCall(332, 291);
    private static final int AT_FDCWD = -100;
    /** A file system in another process is not asked, so it cannot block the caller. */
    private static final int AT_STATX_DONT_SYNC = 0x4000;

    private static final int STATX_INO = 0x100;
    private static final long STX_INO = 0x20;
    private static final long STX_DEV_MAJOR = 0x88;
    private static final long STX_DEV_MINOR = 0x8c;

    private static final MethodHandle STATX =
            Libc.linkSystemCall(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));

    /** {@return the identity of the file that a path names; empty if there is no such file, or no permission} */
    static Optional<FileId> of(String path) {
        MemorySegment block = Libc.block();
        if (!Libc.text(block, path)) {
            return Optional.empty();
        }
        long base = block.address();
        try {
            long result = (long) STATX.invokeExact(
                    block, SYS_STATX, AT_FDCWD, base + Libc.TEXT, AT_STATX_DONT_SYNC, STATX_INO, base + Libc.STRUCT);
            if (result != 0) {
                return Optional.empty();
            }
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
        long device = DeviceNumber.of(
                block.get(JAVA_INT, Libc.STRUCT + STX_DEV_MAJOR), block.get(JAVA_INT, Libc.STRUCT + STX_DEV_MINOR));
        return Optional.of(new FileId(device, block.get(JAVA_LONG, Libc.STRUCT + STX_INO)));
    }
}
