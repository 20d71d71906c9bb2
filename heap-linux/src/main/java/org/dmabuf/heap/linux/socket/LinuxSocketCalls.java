// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.libc.Libc;

/** {@link SocketCalls} by the C library. */
final class LinuxSocketCalls implements SocketCalls {
    static final LinuxSocketCalls INSTANCE = new LinuxSocketCalls();

    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_SEQPACKET = 5;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SHUT_RDWR = 2;
    private static final int SOL_SOCKET = 1;
    private static final int SO_PEERCRED = 17;
    private static final int SO_PEERGROUPS = 59;
    private static final int SO_RCVTIMEO = 20; // with struct timeval of two longs
    private static final int SO_SNDTIMEO = 21;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;

    private static final int LOCK_EX = 2;
    private static final int LOCK_NB = 4;
    private static final int AT_FDCWD = -100;
    private static final int RENAME_NOREPLACE = 1;

    private static final int SUN_PATH = 2; // offset in struct sockaddr_un
    private static final int SUN_PATH_BYTES = 108;
    private static final int SOCKADDR_UN = SUN_PATH + SUN_PATH_BYTES;
    private static final int TIMEVAL = 16;
    private static final int UCRED = 12;

    private static final MethodHandle SOCKET =
            Libc.link("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle FCHMOD = Libc.link("fchmod", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle BIND =
            Libc.link("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle CONNECT =
            Libc.link("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle FLOCK = Libc.link("flock", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle RENAMEAT2 =
            Libc.linkSystemCall(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final long SYS_RENAMEAT2 = Libc.systemCall(316, 276);
    private static final MethodHandle LISTEN = Libc.link("listen", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle ACCEPT4 =
            Libc.link("accept4", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle SHUTDOWN =
            Libc.link("shutdown", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle SETSOCKOPT =
            Libc.link("setsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle GETSOCKOPT = Libc.link(
            "getsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle SENDMSG =
            Libc.link("sendmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle RECVMSG =
            Libc.link("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));

    private LinuxSocketCalls() {}

    @Override
    public int socket() {
        return socket(SOCK_SEQPACKET);
    }

    @Override
    public int streamSocket() {
        return socket(SOCK_STREAM);
    }

    @Override
    public int datagramSocket() {
        return socket(SOCK_DGRAM);
    }

    private static int socket(int type) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) SOCKET.invokeExact(block, AF_UNIX, type | SOCK_CLOEXEC, 0));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int fchmod(int fd, int mode) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) FCHMOD.invokeExact(block, fd, mode));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int bind(int fd, String path) {
        return withAddress(BIND, fd, path);
    }

    @Override
    public int connect(int fd, String path) {
        return withAddress(CONNECT, fd, path);
    }

    @Override
    public int lock(int folder) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) FLOCK.invokeExact(block, folder, LOCK_EX | LOCK_NB));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int rename(String from, String to) {
        MemorySegment block = Libc.block();
        if (to.getBytes(StandardCharsets.UTF_8).length >= 256 || !Libc.text(block, from)) {
            return -Errno.ENAMETOOLONG.number();
        }
        block.setString(Libc.STRUCT, to);
        long base = block.address();
        try {
            return Libc.result(block, (int) (long) RENAMEAT2.invokeExact(
                    block, SYS_RENAMEAT2, AT_FDCWD, base + Libc.TEXT, AT_FDCWD, base + Libc.STRUCT, RENAME_NOREPLACE));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int listen(int fd, int backlog) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) LISTEN.invokeExact(block, fd, backlog));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int accept(int fd) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) ACCEPT4.invokeExact(block, fd, 0L, 0L, SOCK_CLOEXEC));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int shutdown(int fd) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) SHUTDOWN.invokeExact(block, fd, SHUT_RDWR));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int timeout(int fd, long millis) {
        int result = receiveTimeout(fd, millis);
        return result < 0 ? result : timeout(fd, SO_SNDTIMEO, millis);
    }

    @Override
    public int receiveTimeout(int fd, long millis) {
        return timeout(fd, SO_RCVTIMEO, millis);
    }

    private static int timeout(int fd, int option, long millis) {
        MemorySegment block = Libc.block();
        block.set(JAVA_LONG, Libc.STRUCT, millis / 1000);
        block.set(JAVA_LONG, Libc.STRUCT + 8, millis % 1000 * 1000);
        long timeval = block.address() + Libc.STRUCT;
        try {
            return Libc.result(block, (int) SETSOCKOPT.invokeExact(block, fd, SOL_SOCKET, option, timeval, TIMEVAL));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int peer(int fd, MemorySegment ucred) {
        MemorySegment block = Libc.block();
        block.set(JAVA_INT, Libc.STRUCT, UCRED);
        long length = block.address() + Libc.STRUCT;
        try {
            return Libc.result(
                    block, (int) GETSOCKOPT.invokeExact(block, fd, SOL_SOCKET, SO_PEERCRED, ucred.address(), length));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int peerGroups(int fd, MemorySegment groups) {
        MemorySegment block = Libc.block();
        block.set(JAVA_INT, Libc.STRUCT, (int) groups.byteSize());
        long length = block.address() + Libc.STRUCT;
        try {
            int result = Libc.result(block, (int)
                    GETSOCKOPT.invokeExact(block, fd, SOL_SOCKET, SO_PEERGROUPS, groups.address(), length));
            return result < 0 ? result : block.get(JAVA_INT, Libc.STRUCT);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public long send(int fd, MemorySegment msghdr) {
        MemorySegment block = Libc.block();
        try {
            long sent = (long) SENDMSG.invokeExact(block, fd, msghdr.address(), MSG_NOSIGNAL);
            return sent == -1 ? -Libc.errno(block) : sent;
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        } finally {
            Reference.reachabilityFence(msghdr); // the call has only its address
        }
    }

    @Override
    public long receive(int fd, MemorySegment msghdr) {
        MemorySegment block = Libc.block();
        try {
            long received = (long) RECVMSG.invokeExact(block, fd, msghdr.address(), MSG_CMSG_CLOEXEC);
            return received == -1 ? -Libc.errno(block) : received;
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        } finally {
            Reference.reachabilityFence(msghdr);
        }
    }

    private static int withAddress(MethodHandle call, int fd, String path) {
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        if (bytes.length >= SUN_PATH_BYTES) {
            return -Errno.ENAMETOOLONG.number();
        }
        if (bytes.length == 0) {
            return -Errno.EINVAL.number(); // an empty path would be an address without a file and a mode
        }
        MemorySegment block = Libc.block();
        MemorySegment address = block.asSlice(Libc.STRUCT, SOCKADDR_UN).fill((byte) 0);
        address.set(JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, address, SUN_PATH, bytes.length);
        // The kernel counts every byte of an abstract address, and a path ends at its NUL.
        int length = bytes[0] == 0 ? SUN_PATH + bytes.length : SOCKADDR_UN;
        try {
            return Libc.result(block, (int) call.invokeExact(block, fd, address.address(), length));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
