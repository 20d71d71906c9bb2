// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.linux.libc.Libc;

/** {@link HolderCalls} by the C library. */
final class LinuxHolderCalls implements HolderCalls {
    static final LinuxHolderCalls INSTANCE = new LinuxHolderCalls();

    private static final int IN_NONBLOCK = 0x800;
    private static final int IN_CLOEXEC = 0x80000;
    private static final int LOCK_SH = 0x1;
    private static final int LOCK_NB = 0x4;

    private static final MethodHandle INOTIFY_INIT1 =
            Libc.link("inotify_init1", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle INOTIFY_ADD_WATCH =
            Libc.link("inotify_add_watch", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle INOTIFY_RM_WATCH =
            Libc.link("inotify_rm_watch", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle FLOCK = Libc.link("flock", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));

    private LinuxHolderCalls() {}

    @Override
    public int inotify() {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) INOTIFY_INIT1.invokeExact(block, IN_NONBLOCK | IN_CLOEXEC));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int addWatch(int inotify, String path, int mask) {
        MemorySegment block = Libc.block();
        if (!Libc.text(block, path)) {
            return -Errno.ENAMETOOLONG.number();
        }
        try {
            return Libc.result(
                    block, (int) INOTIFY_ADD_WATCH.invokeExact(block, inotify, block.address() + Libc.TEXT, mask));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int removeWatch(int inotify, int watch) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) INOTIFY_RM_WATCH.invokeExact(block, inotify, watch));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public String fdinfo(int fd) throws IOException {
        return read(Path.of("/proc/self/fdinfo/" + fd));
    }

    @Override
    public int lock(int fd) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) FLOCK.invokeExact(block, fd, LOCK_SH | LOCK_NB));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public String locks() throws IOException {
        return read(Path.of("/proc/locks"));
    }

    private static String read(Path file) throws IOException {
        return ProcFile.read(file).orElseThrow(() -> new NoSuchFileException(file.toString()));
    }
}
