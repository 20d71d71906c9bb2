// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * Memory that another process made and handed over. Only what nobody can take away under a mapping is accepted, because
 * an access to memory that is gone ends a process: a dma-buf, whose size is fixed, or a memfd that is sealed against
 * shrinking, and none on huge pages, of which a peer can punch out any, whatever the seals.
 */
public final class AdoptedMemory implements HeapBuffer {
    static final long TMPFS_MAGIC = 0x01021994;
    static final long HUGETLBFS_MAGIC = 0x958458f6L;
    static final long DMA_BUF_MAGIC = 0x444d4142;

    private static final int F_GETFL = 3;
    private static final int F_GET_SEALS = 1034;
    private static final int O_ACCMODE = 0x3;
    private static final int O_WRONLY = 0x1;

    private final Syscalls syscalls;
    private final Headroom headroom;
    private final Mmap mmap;
    private final Fd descriptor;
    private final boolean dmaBuf;
    private final long size;
    private final Brackets brackets;

    private AdoptedMemory(Syscalls syscalls, Headroom headroom, Fd descriptor, boolean dmaBuf, long size) {
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.mmap = new Mmap(syscalls);
        this.descriptor = descriptor;
        this.dmaBuf = dmaBuf;
        this.size = size;
        this.brackets = Brackets.ofAdopted(syscalls, size, descriptor.fd());
    }

    /**
     * Takes over a descriptor after looking at what it is.
     *
     * @param syscalls the kernel
     * @param headroom must have room for the pages of a memfd that its maker has not touched: they are made when they
     *     are mapped, and asked for again then
     * @param descriptor this object's when the call returns, the caller's when it throws
     * @param claim is given the bytes that are about to be adopted; what it throws refuses them
     * @return the memory; what its sender adds to it from now on is no part of it
     * @throws HeapException {@link Errno#EBADFD} for what is no memory to share, {@link Errno#EPERM} for what could be
     *     taken away, {@link Errno#EACCES} for what cannot be read, {@link Errno#EINVAL} for no bytes,
     *     {@link Errno#ENOMEM} for more than the machine has
     */
    public static AdoptedMemory adopt(Syscalls syscalls, Headroom headroom, OwnedFd descriptor, LongConsumer claim) {
        int fd = descriptor.fd();
        boolean dmaBuf = requireSafe(syscalls, fd);
        long size = dmaBuf ? require("lseek", syscalls.seekEnd(fd)) : require("statx", syscalls.size(fd));
        if (size == 0) {
            throw new HeapException(Errno.EINVAL, "", "the descriptor has no bytes; its sender makes it larger first");
        }
        if (!dmaBuf) {
            long missing = missing(syscalls, fd, size);
            headroom.reserve("adopted", missing);
            headroom.settle(missing);
        }
        claim.accept(size);
        return new AdoptedMemory(syscalls, headroom, new Fd(syscalls, descriptor.detach()), dmaBuf, size);
    }

    /** {@return whether it is a real dma-buf, which devices import; else it is a memfd} */
    public boolean isDmaBuf() {
        return dmaBuf;
    }

    /** Bytes that a mapping would have to make: holes, which its sender can also punch later. */
    private static long missing(Syscalls syscalls, int fd, long size) {
        return Math.max(0, size - require("statx", syscalls.allocated(fd)));
    }

    /** {@return whether it is a dma-buf} */
    private static boolean requireSafe(Syscalls syscalls, int fd) {
        long kind = require("fstatfs", syscalls.fileSystem(fd));
        if (kind == HUGETLBFS_MAGIC) {
            throw new HeapException(
                    Errno.EPERM,
                    "",
                    "the descriptor is of huge pages, which its sender could punch out under this process whatever the"
                            + " seals; hand over a memfd of ordinary pages, or a dma-buf");
        }
        if (kind != DMA_BUF_MAGIC) {
            requireSealed(syscalls, fd, kind);
        }
        if ((require("fcntl(F_GETFL)", syscalls.fcntl(fd, F_GETFL, 0)) & O_ACCMODE) == O_WRONLY) {
            throw new HeapException(Errno.EACCES, "", "the descriptor is open for writing only; it must be readable");
        }
        return kind == DMA_BUF_MAGIC;
    }

    private static void requireSealed(Syscalls syscalls, int fd, long kind) {
        if (kind != TMPFS_MAGIC) {
            throw new HeapException(
                    Errno.EBADFD,
                    "",
                    "the descriptor is no memory to share; hand over a dma-buf, or a memfd sealed with F_SEAL_SHRINK");
        }
        int seals = require("fcntl(F_GET_SEALS)", syscalls.fcntl(fd, F_GET_SEALS, 0));
        if ((seals & Memfd.F_SEAL_SHRINK) == 0) {
            throw new HeapException(
                    Errno.EPERM,
                    "",
                    "the descriptor's memory could be shrunk, and an access to what is gone ends this process; its"
                            + " sender seals it with F_SEAL_SHRINK");
        }
    }

    private static int require(String call, int result) {
        return (int) require(call, (long) result);
    }

    private static long require(String call, long result) {
        if (result < 0) {
            throw Refusal.of("", call, (int) result);
        }
        return result;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int descriptor() {
        return descriptor.fd();
    }

    @Override
    public MemorySegment map(Access access) {
        int fd = descriptor.fd();
        if (dmaBuf) {
            return mmap.map("", fd, size, access); // its memory is its exporter's
        }
        long missing = missing(syscalls, fd, size);
        headroom.reserve("adopted", missing);
        try {
            return mmap.map("", fd, size, access);
        } finally {
            headroom.settle(missing);
        }
    }

    @Override
    public void unmap(MemorySegment mapping) {
        mmap.unmap(mapping);
    }

    @Override
    public void beginCpuAccess(Access access) {
        if (dmaBuf) {
            brackets.begin(descriptor.fd(), access);
        }
    }

    @Override
    public void endCpuAccess(Access access) {
        if (dmaBuf) {
            brackets.end(descriptor.fd(), access);
        }
    }

    @Override
    public void release() {
        descriptor.close();
    }
}
