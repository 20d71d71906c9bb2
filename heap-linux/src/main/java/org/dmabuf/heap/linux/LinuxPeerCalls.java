// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;

/** {@link PeerCalls} by the C library. */
final class LinuxPeerCalls implements PeerCalls {
    static final LinuxPeerCalls INSTANCE = new LinuxPeerCalls();

    private static final int IN_NONBLOCK = 0x800;
    private static final int IN_CLOEXEC = 0x80000;
    private static final int EFD_NONBLOCK = 0x800;
    private static final int EFD_CLOEXEC = 0x80000;
    private static final int LOCK_SH = 0x1;
    private static final int LOCK_NB = 0x4;
    private static final short POLLIN = 0x1;
    private static final long POLLFD = 8; // int fd, short events, short revents

    private static final MethodHandle INOTIFY_INIT1 =
            Libc.link("inotify_init1", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle INOTIFY_ADD_WATCH =
            Libc.link("inotify_add_watch", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle INOTIFY_RM_WATCH =
            Libc.link("inotify_rm_watch", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle EVENTFD =
            Libc.link("eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle EVENTFD_WRITE =
            Libc.link("eventfd_write", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle READ =
            Libc.link("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle POLL =
            Libc.link("poll", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle FLOCK =
            Libc.link("flock", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));

    private LinuxPeerCalls() {}

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
                    block,
                    (int) INOTIFY_ADD_WATCH.invokeExact(block, inotify, block.address() + Libc.TEXT, mask));
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
    public int eventfd() {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) EVENTFD.invokeExact(block, 0, EFD_NONBLOCK | EFD_CLOEXEC));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int signal(int eventfd) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) EVENTFD_WRITE.invokeExact(block, eventfd, 1L));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public long read(int fd, MemorySegment into) {
        MemorySegment block = Libc.block();
        try {
            long read = (long) READ.invokeExact(block, fd, into.address(), into.byteSize());
            return read == -1 ? -Libc.errno(block) : read;
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        } finally {
            Reference.reachabilityFence(into); // only its address went along
        }
    }

    @Override
    public int await(int one, int other, int millis) {
        MemorySegment block = Libc.block();
        pollfd(block, Libc.STRUCT, one);
        pollfd(block, Libc.STRUCT + POLLFD, other); // a negative one is passed over by the kernel
        try {
            return Libc.result(block, (int) POLL.invokeExact(block, block.address() + Libc.STRUCT, 2L, millis));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    private static void pollfd(MemorySegment block, long offset, int fd) {
        block.set(JAVA_INT, offset, fd);
        block.set(JAVA_SHORT, offset + 4, POLLIN);
        block.set(JAVA_SHORT, offset + 6, (short) 0);
    }

    @Override
    public String fdinfo(int fd) throws IOException {
        return read("/proc/self/fdinfo/" + fd);
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
        return read("/proc/locks");
    }

    /** One character a byte: a holder can give a dma-buf a name that is no UTF-8. */
    static String read(String file) throws IOException {
        return Files.readString(Path.of(file), StandardCharsets.ISO_8859_1);
    }
}
