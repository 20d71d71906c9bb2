// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.syscall;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.libc.DeviceNumber;
import org.dmabuf.heap.linux.libc.Libc;

/** {@link Syscalls} by the C library. */
final class LinuxSyscalls implements Syscalls {
    static final LinuxSyscalls INSTANCE = new LinuxSyscalls();

    private static final MethodHandle MEMFD_CREATE =
            Libc.link("memfd_create", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle OPEN =
            Libc.linkVariadic("open", 2, FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle CLOSE = Libc.link("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle FCNTL =
            Libc.linkVariadic("fcntl", 2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle READ =
            Libc.link("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle WRITE =
            Libc.link("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle POLL =
            Libc.link("poll", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle EVENTFD =
            Libc.link("eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle FALLOCATE =
            Libc.link("fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle FTRUNCATE =
            Libc.link("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MMAP = Libc.link(
            "mmap", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP =
            Libc.link("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MADVISE =
            Libc.link("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MLOCK = Libc.link("mlock", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));

    private static final MethodHandle PIPE2 = Libc.link("pipe2", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle VMSPLICE =
            Libc.link("vmsplice", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle STATX =
            Libc.linkSystemCall(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final long SYS_STATX = Libc.systemCall(332, 291);
    private static final MethodHandle FSTATFS =
            Libc.link("fstatfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));

    private static final MethodHandle LSEEK =
            Libc.link("lseek", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle IOCTL =
            Libc.linkVariadic("ioctl", 2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));

    private static final int SEEK_SET = 0;
    private static final int SEEK_CUR = 1;
    private static final int SEEK_END = 2;
    private static final int SEEK_HOLE = 4;

    // An ioctl number encodes a direction, the argument's size, a group and a number. The encoding is the same on
    // x86-64, arm64 and riscv64, but not elsewhere.
    private static final long DMA_HEAP_IOCTL_ALLOC = 0xC0184800L; // read and write, 24 bytes, 'H', 0
    private static final long DMA_BUF_IOCTL_SYNC = 0x40086200L; // write, 8 bytes, 'b', 0
    private static final long DMA_BUF_SET_NAME = 0x40086201L; // write, 8 bytes (a pointer's), 'b', 1
    private static final long UDMABUF_CREATE = 0x40187542L; // write, 24 bytes, 'u', 0x42

    // offsets in struct dma_heap_allocation_data (24 bytes)
    private static final long ALLOC_LENGTH = 0;
    private static final long ALLOC_FD = 8; // an int; 0 in the call
    private static final long ALLOC_FD_FLAGS = 12; // an int
    private static final long ALLOC_HEAP_FLAGS = 16;

    // offsets in struct udmabuf_create (24 bytes)
    private static final long CREATE_MEMFD = 0; // an int
    private static final long CREATE_FLAGS = 4; // an int
    private static final long CREATE_OFFSET = 8;
    private static final long CREATE_SIZE = 16;

    /** More than the kernel shows for a dma-buf. */
    private static final int FDINFO_BYTES = 4096;

    private static final int O_CLOEXEC_NONBLOCK = 0x80000 | 0x800;
    private static final int SPLICE_F_NONBLOCK = 0x2;
    // offsets in struct iovec (16 bytes)
    private static final long IOV_BASE = 0;
    private static final long IOV_LENGTH = 8;

    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_TYPE_MODE = 0x3;
    private static final int STATX_NLINK = 0x4;
    private static final int STATX_INO = 0x100;
    private static final int STATX_SIZE = 0x200;
    private static final int STATX_BLOCKS = 0x400;
    // offsets in struct statx (256 bytes)
    private static final long STX_NLINK = 0x10; // an int
    private static final long STX_MODE = 0x1c; // a short
    private static final long STX_INO = 0x20;
    private static final long STX_SIZE = 0x28;
    private static final long STX_BLOCKS = 0x30;
    private static final long STX_DEV_MAJOR = 0x88;
    private static final long STX_DEV_MINOR = 0x8c;

    private LinuxSyscalls() {}

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
    public long read(int fd, long address, long length) {
        return transfer(READ, fd, address, length);
    }

    @Override
    public long write(int fd, long address, long length) {
        return transfer(WRITE, fd, address, length);
    }

    private static long transfer(MethodHandle call, int fd, long address, long length) {
        MemorySegment block = Libc.block();
        try {
            long transferred = (long) call.invokeExact(block, fd, address, length);
            return transferred == -1 ? -Libc.errno(block) : transferred;
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int poll(long pollfds, int count, int millis) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) POLL.invokeExact(block, pollfds, (long) count, millis));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int eventfd(int flags) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) EVENTFD.invokeExact(block, 0, flags));
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
    public int ftruncate(int fd, long size) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) FTRUNCATE.invokeExact(block, fd, size));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public long mmap(long address, long length, int protection, int flags, int fd, long offset) {
        MemorySegment block = Libc.block();
        try {
            long mapped = (long) MMAP.invokeExact(block, address, length, protection, flags, fd, offset);
            return mapped == -1 ? -Libc.errno(block) : mapped;
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
    public int mlock(long address, long length) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) MLOCK.invokeExact(block, address, length));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    @Override
    public int canSplice(long address) {
        MemorySegment block = Libc.block();
        int piped;
        try {
            piped = Libc.result(
                    block, (int) PIPE2.invokeExact(block, block.address() + Libc.STRUCT, O_CLOEXEC_NONBLOCK));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
        if (piped < 0) {
            return piped;
        }
        int readEnd = block.get(JAVA_INT, Libc.STRUCT);
        int writeEnd = block.get(JAVA_INT, Libc.STRUCT + 4);
        try {
            block.set(JAVA_LONG, Libc.STRUCT + IOV_BASE, address);
            block.set(JAVA_LONG, Libc.STRUCT + IOV_LENGTH, 1);
            long spliced =
                    (long) VMSPLICE.invokeExact(block, writeEnd, block.address() + Libc.STRUCT, 1L, SPLICE_F_NONBLOCK);
            int error = spliced == -1 ? Libc.errno(block) : 0;
            return error == 0 ? 1 : error == Errno.EFAULT.number() ? 0 : -error;
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        } finally {
            close(readEnd);
            close(writeEnd);
        }
    }

    @Override
    public long inode(int fd) {
        MemorySegment block = Libc.block();
        int result = statx(block, fd, STATX_INO);
        return result < 0 ? result : block.get(JAVA_LONG, Libc.STRUCT + STX_INO);
    }

    @Override
    public long device(int fd) {
        MemorySegment block = Libc.block();
        int result = statx(block, fd, 0);
        return result < 0
                ? result
                : DeviceNumber.of(
                        block.get(JAVA_INT, Libc.STRUCT + STX_DEV_MAJOR),
                        block.get(JAVA_INT, Libc.STRUCT + STX_DEV_MINOR));
    }

    @Override
    public long size(int fd) {
        MemorySegment block = Libc.block();
        int result = statx(block, fd, STATX_SIZE);
        return result < 0 ? result : block.get(JAVA_LONG, Libc.STRUCT + STX_SIZE);
    }

    @Override
    public int mode(int fd) {
        MemorySegment block = Libc.block();
        int result = statx(block, fd, STATX_TYPE_MODE);
        return result < 0 ? result : Short.toUnsignedInt(block.get(JAVA_SHORT, Libc.STRUCT + STX_MODE));
    }

    @Override
    public int links(int fd) {
        MemorySegment block = Libc.block();
        int result = statx(block, fd, STATX_NLINK);
        return result < 0 ? result : block.get(JAVA_INT, Libc.STRUCT + STX_NLINK);
    }

    @Override
    public long allocated(int fd) {
        MemorySegment block = Libc.block();
        int result = statx(block, fd, STATX_BLOCKS);
        // always in units of 512 bytes, whatever stx_blksize is
        return result < 0 ? result : block.get(JAVA_LONG, Libc.STRUCT + STX_BLOCKS) * 512;
    }

    private static int statx(MemorySegment block, int fd, int wanted) {
        Libc.text(block, "");
        long base = block.address();
        try {
            return Libc.result(block, (int) (long) STATX.invokeExact(
                    block, SYS_STATX, fd, base + Libc.TEXT, AT_EMPTY_PATH, wanted, base + Libc.STRUCT));
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

    @Override
    public long seekEnd(int fd) {
        return seek(fd, 0, SEEK_END);
    }

    @Override
    public long firstHole(int fd) {
        long position = seek(fd, 0, SEEK_CUR);
        long hole = seek(fd, 0, SEEK_HOLE);
        if (position >= 0) {
            seek(fd, position, SEEK_SET);
        }
        return hole;
    }

    private static long seek(int fd, long offset, int from) {
        MemorySegment block = Libc.block();
        try {
            long position = (long) LSEEK.invokeExact(block, fd, offset, from);
            return position == -1 ? -Libc.errno(block) : position;
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Makes two checks, because a sender can forge the first. For a file on a file system, the text of the link is a
     * path, which can look like that of a dma-buf. The second check is sufficient, because only the kernel code of
     * dma-bufs writes {@code exp_name} into fdinfo. It is not made first, because the fdinfo of other files can be
     * long.
     */
    @Override
    public int isDmaBuf(int fd) {
        try {
            if (!Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd))
                    .toString()
                    .startsWith("/dmabuf:")) {
                return 0;
            }
            try (InputStream fdinfo = Files.newInputStream(Path.of("/proc/self/fdinfo/" + fd))) {
                // One character a byte, because the name that a holder gave the dma-buf may not be valid text.
                String shown = new String(fdinfo.readNBytes(FDINFO_BYTES), StandardCharsets.ISO_8859_1);
                return shown.contains("\nexp_name:") ? 1 : 0;
            }
        } catch (IOException e) {
            return -Errno.EIO.number();
        }
    }

    @Override
    public int dmaHeapAllocate(int node, long length, int fdFlags, long heapFlags) {
        MemorySegment block = Libc.block();
        block.set(JAVA_LONG, Libc.STRUCT + ALLOC_LENGTH, length);
        block.set(JAVA_INT, Libc.STRUCT + ALLOC_FD, 0);
        block.set(JAVA_INT, Libc.STRUCT + ALLOC_FD_FLAGS, fdFlags);
        block.set(JAVA_LONG, Libc.STRUCT + ALLOC_HEAP_FLAGS, heapFlags);
        int result = ioctl(block, node, DMA_HEAP_IOCTL_ALLOC, block.address() + Libc.STRUCT);
        return result < 0 ? result : block.get(JAVA_INT, Libc.STRUCT + ALLOC_FD);
    }

    @Override
    public int dmaBufSync(int fd, long flags) {
        MemorySegment block = Libc.block();
        block.set(JAVA_LONG, Libc.STRUCT, flags);
        return ioctl(block, fd, DMA_BUF_IOCTL_SYNC, block.address() + Libc.STRUCT);
    }

    @Override
    public int dmaBufSetName(int fd, String name) {
        MemorySegment block = Libc.block();
        if (!Libc.text(block, name)) {
            return -Errno.EINVAL.number(); // as the kernel does for a name that is too long
        }
        return ioctl(block, fd, DMA_BUF_SET_NAME, block.address() + Libc.TEXT);
    }

    @Override
    public int udmabufCreate(int device, int memfd, int flags, long offset, long size) {
        MemorySegment block = Libc.block();
        block.set(JAVA_INT, Libc.STRUCT + CREATE_MEMFD, memfd);
        block.set(JAVA_INT, Libc.STRUCT + CREATE_FLAGS, flags);
        block.set(JAVA_LONG, Libc.STRUCT + CREATE_OFFSET, offset);
        block.set(JAVA_LONG, Libc.STRUCT + CREATE_SIZE, size);
        return ioctl(block, device, UDMABUF_CREATE, block.address() + Libc.STRUCT);
    }

    @Override
    public int ioctl(int fd, long request, long address) {
        return ioctl(Libc.block(), fd, request, address);
    }

    private static int ioctl(MemorySegment block, int fd, long request, long argument) {
        try {
            return Libc.result(block, (int) IOCTL.invokeExact(block, fd, request, argument));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
