// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * {@link Syscalls} by the C library. Pointers are passed as longs, which the three processors that the bundle's manifest
 * names pass alike. errno is captured into a block of memory that each thread keeps; the block also takes strings and
 * structs, so no call allocates. A thread's value is a plain segment and pins no class of the bundle.
 */
@SuppressWarnings("restricted") // linking native functions is what this class is for
final class LinuxSyscalls implements Syscalls {
    static final LinuxSyscalls INSTANCE = new LinuxSyscalls();

    private static final Linker LINKER = Linker.nativeLinker();
    private static final Linker.Option ERRNO_OPTION = Linker.Option.captureCallState("errno");
    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(PathElement.groupElement("errno"));

    private static final MethodHandle MEMFD_CREATE =
            link("memfd_create", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle OPEN =
            link("open", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle CLOSE = link("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle FCNTL = link(
            "fcntl",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle FALLOCATE =
            link("fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MMAP = link(
            "mmap", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP =
            link("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MADVISE =
            link("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle STATX =
            link("statx", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));

    /** Each thread's block: errno, a string, a struct. */
    private static final ThreadLocal<MemorySegment> BLOCK =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(528, 8));

    private static final long TEXT = 16;
    private static final int TEXT_BYTES = 256;
    private static final long STRUCT = TEXT + TEXT_BYTES;

    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_INO = 0x100;
    private static final long STX_INO = 0x20; // offset of stx_ino in struct statx (256 bytes)

    private static final int ENAMETOOLONG = 36;

    private LinuxSyscalls() {}

    /** Bytes in a page, by getpagesize(3). */
    static int pageSize() {
        MethodHandle handle = link("getpagesize", FunctionDescriptor.of(JAVA_INT));
        try {
            return (int) handle.invokeExact(BLOCK.get());
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static MethodHandle link(String function, FunctionDescriptor type, Linker.Option... options) {
        Linker.Option[] all = new Linker.Option[options.length + 1];
        all[0] = ERRNO_OPTION;
        System.arraycopy(options, 0, all, 1, options.length);
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(function), type, all);
    }

    @Override
    public int memfdCreate(String name, int flags) {
        MemorySegment block = BLOCK.get();
        if (!text(block, name)) {
            return -ENAMETOOLONG;
        }
        try {
            return result(block, (int) MEMFD_CREATE.invokeExact(block, block.address() + TEXT, flags));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public int open(String path, int flags) {
        MemorySegment block = BLOCK.get();
        if (!text(block, path)) {
            return -ENAMETOOLONG;
        }
        try {
            return result(block, (int) OPEN.invokeExact(block, block.address() + TEXT, flags));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public int close(int fd) {
        MemorySegment block = BLOCK.get();
        try {
            return result(block, (int) CLOSE.invokeExact(block, fd));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public int fcntl(int fd, int command, int argument) {
        MemorySegment block = BLOCK.get();
        try {
            return result(block, (int) FCNTL.invokeExact(block, fd, command, argument));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public int fallocate(int fd, int mode, long offset, long length) {
        MemorySegment block = BLOCK.get();
        try {
            return result(block, (int) FALLOCATE.invokeExact(block, fd, mode, offset, length));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public long mmap(long length, int protection, int flags, int fd, long offset) {
        MemorySegment block = BLOCK.get();
        try {
            long address = (long) MMAP.invokeExact(block, 0L, length, protection, flags, fd, offset);
            return address == -1 ? -(int) ERRNO.get(block, 0L) : address;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public int munmap(long address, long length) {
        MemorySegment block = BLOCK.get();
        try {
            return result(block, (int) MUNMAP.invokeExact(block, address, length));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public int madvise(long address, long length, int advice) {
        MemorySegment block = BLOCK.get();
        try {
            return result(block, (int) MADVISE.invokeExact(block, address, length, advice));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public long inode(int fd) {
        MemorySegment block = BLOCK.get();
        text(block, "");
        long base = block.address();
        try {
            int result = (int) STATX.invokeExact(block, fd, base + TEXT, AT_EMPTY_PATH, STATX_INO, base + STRUCT);
            return result == 0 ? block.get(JAVA_LONG, STRUCT + STX_INO) : result(block, result);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** Writes a C string into the block; false when it does not fit. */
    private static boolean text(MemorySegment block, String text) {
        // Three bytes a character at most, so a short one needs no count.
        if (text.length() * 3 >= TEXT_BYTES
                && text.getBytes(java.nio.charset.StandardCharsets.UTF_8).length >= TEXT_BYTES) {
            return false;
        }
        block.setString(TEXT, text);
        return true;
    }

    private static int result(MemorySegment block, int returned) {
        return returned == -1 ? -(int) ERRNO.get(block, 0L) : returned;
    }

    /** A handle that was linked with the right type does not throw. */
    private static AssertionError unexpected(Throwable e) {
        return new AssertionError(e);
    }
}
