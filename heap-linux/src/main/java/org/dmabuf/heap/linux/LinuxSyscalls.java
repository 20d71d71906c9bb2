// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.dmabuf.heap.Errno;

/** {@link Syscalls} by the C library. */
final class LinuxSyscalls implements Syscalls {
    static final LinuxSyscalls INSTANCE = new LinuxSyscalls();

    private static final MethodHandle MEMFD_CREATE =
            Libc.link("memfd_create", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle OPEN =
            Libc.link("open", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle CLOSE = Libc.link("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle FCNTL = Libc.link(
            "fcntl",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle FALLOCATE =
            Libc.link("fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MMAP = Libc.link(
            "mmap", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP =
            Libc.link("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MADVISE =
            Libc.link("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle STATX =
            Libc.link("statx", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));

    private static final MethodHandle FSTATFS =
            Libc.link("fstatfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));

    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_INO = 0x100;
    private static final int STATX_SIZE = 0x200;
    private static final int STATX_BLOCKS = 0x400;
    // offsets in struct statx (256 bytes)
    private static final long STX_INO = 0x20;
    private static final long STX_SIZE = 0x28;
    private static final long STX_BLOCKS = 0x30;

    private LinuxSyscalls() {}

    /** Bytes in a page, by getpagesize(3). */
    static int pageSize() {
        MethodHandle handle = Libc.link("getpagesize", FunctionDescriptor.of(JAVA_INT));
        try {
            return (int) handle.invokeExact(Libc.block());
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int memfdCreate(String name, int flags) {
        MemorySegment block = Libc.block();
        if (!Libc.text(block, name)) {
            return -Errno.ENAMETOOLONG.number();
        }
        try {
            return Libc.result(block, (int) MEMFD_CREATE.invokeExact(block, block.address() + Libc.TEXT, flags));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int open(String path, int flags) {
        MemorySegment block = Libc.block();
        if (!Libc.text(block, path)) {
            return -Errno.ENAMETOOLONG.number();
        }
        try {
            return Libc.result(block, (int) OPEN.invokeExact(block, block.address() + Libc.TEXT, flags));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int close(int fd) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) CLOSE.invokeExact(block, fd));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int fcntl(int fd, int command, int argument) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) FCNTL.invokeExact(block, fd, command, argument));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int fallocate(int fd, int mode, long offset, long length) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) FALLOCATE.invokeExact(block, fd, mode, offset, length));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public long mmap(long length, int protection, int flags, int fd, long offset) {
        MemorySegment block = Libc.block();
        try {
            long address = (long) MMAP.invokeExact(block, 0L, length, protection, flags, fd, offset);
            return address == -1 ? -Libc.errno(block) : address;
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int munmap(long address, long length) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) MUNMAP.invokeExact(block, address, length));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int madvise(long address, long length, int advice) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) MADVISE.invokeExact(block, address, length, advice));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public long inode(int fd) {
        return statx(fd, STATX_INO, STX_INO);
    }

    @Override
    public long size(int fd) {
        return statx(fd, STATX_SIZE, STX_SIZE);
    }

    @Override
    public long allocated(int fd) {
        long blocks = statx(fd, STATX_BLOCKS, STX_BLOCKS);
        return blocks < 0 ? blocks : blocks * 512; // always in units of 512 bytes, whatever stx_blksize says
    }

    private static long statx(int fd, int wanted, long field) {
        MemorySegment block = Libc.block();
        Libc.text(block, "");
        long base = block.address();
        try {
            int result =
                    (int) STATX.invokeExact(block, fd, base + Libc.TEXT, AT_EMPTY_PATH, wanted, base + Libc.STRUCT);
            return result == 0 ? block.get(JAVA_LONG, Libc.STRUCT + field) : Libc.result(block, result);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public long fileSystem(int fd) {
        MemorySegment block = Libc.block();
        try {
            // f_type is the first long of struct statfs, which has 120 bytes on 64-bit Linux
            int result = (int) FSTATFS.invokeExact(block, fd, block.address() + Libc.STRUCT);
            return result == 0 ? block.get(JAVA_LONG, Libc.STRUCT) : Libc.result(block, result);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
