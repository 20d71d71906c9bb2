// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fence;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.dmabuf.heap.linux.libc.Libc;

/** {@link EpollCalls} by the C library. */
final class LinuxEpollCalls implements EpollCalls {
    static final LinuxEpollCalls INSTANCE = new LinuxEpollCalls();

    private static final int EPOLL_CLOEXEC = 0x80000;
    private static final int EPOLL_CTL_ADD = 1;
    private static final int EPOLL_CTL_DEL = 2;
    private static final int EPOLLIN = 0x1;
    private static final int EPOLLONESHOT = 0x40000000;

    // struct epoll_event: u32 events, u64 data; packed on x86-64 only
    private static final long EVENT = Libc.systemCall(12, 16);
    private static final long EVENT_DATA = Libc.systemCall(4, 8);

    private static final MethodHandle EPOLL_CREATE1 =
            Libc.link("epoll_create1", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle EPOLL_CTL =
            Libc.link("epoll_ctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle EPOLL_WAIT =
            Libc.link("epoll_wait", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT));

    private LinuxEpollCalls() {}

    @Override
    public int create() {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) EPOLL_CREATE1.invokeExact(block, EPOLL_CLOEXEC));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int add(int epoll, int fd, long token) {
        MemorySegment block = Libc.block();
        block.set(JAVA_INT, Libc.STRUCT, EPOLLIN | EPOLLONESHOT);
        block.set(JAVA_LONG_UNALIGNED, Libc.STRUCT + EVENT_DATA, token);
        return control(block, epoll, EPOLL_CTL_ADD, fd);
    }

    @Override
    public int remove(int epoll, int fd) {
        return control(Libc.block(), epoll, EPOLL_CTL_DEL, fd);
    }

    private static int control(MemorySegment block, int epoll, int operation, int fd) {
        try {
            return Libc.result(
                    block, (int) EPOLL_CTL.invokeExact(block, epoll, operation, fd, block.address() + Libc.STRUCT));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int ready(int epoll, long[] tokens) {
        MemorySegment block = Libc.block();
        int count;
        try {
            count = Libc.result(
                    block, (int) EPOLL_WAIT.invokeExact(block, epoll, block.address() + Libc.STRUCT, tokens.length, 0));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
        for (int i = 0; i < count; i++) {
            tokens[i] = block.get(JAVA_LONG_UNALIGNED, Libc.STRUCT + i * EVENT + EVENT_DATA);
        }
        return count;
    }
}
