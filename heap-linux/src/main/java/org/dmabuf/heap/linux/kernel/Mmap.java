// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/** Mapper of descriptors, by mmap(2). Page tables are filled where the kernel can, so that no access faults later. */
public final class Mmap {
    public static final int PROT_READ = 0x1;
    public static final int PROT_WRITE = 0x2;
    public static final int MAP_SHARED = 0x1;
    public static final int MADV_POPULATE_READ = 22; // since 5.14, EINVAL before
    public static final int MADV_POPULATE_WRITE = 23;

    private final Syscalls syscalls;

    /** Maps by the given calls. Any thread may call any method. */
    public Mmap(Syscalls syscalls) {
        this.syscalls = syscalls;
    }

    /** {@return a mapping for a heap's buffer, which the caller unmaps} */
    public MemorySegment map(String heap, int fd, long size, Access access) {
        MemorySegment mapping = mapUnpopulated(heap, fd, size, access);
        populate(heap, mapping, access);
        return mapping;
    }

    /**
     * Maps a memfd of a heap's own for reading and writing, for the life of its buffer, with every page touched. What
     * fallocate(2) made holds old contents until then. The file hides that, and a dma-buf of its pages does not.
     *
     * @throws HeapException {@link Errno#EAGAIN} where the process has no room for a mapping: another heap would not
     *     help
     */
    public MemorySegment mapToKeep(String heap, int fd, long size) {
        try {
            MemorySegment mapping = mapUnpopulated(heap, fd, size, Access.READ_WRITE);
            if (!populate(heap, mapping, Access.READ_WRITE)) {
                touch(mapping);
            }
            return mapping;
        } catch (HeapException e) {
            throw KernelError.ofMapping(heap, e);
        }
    }

    /**
     * Maps a memfd of a heap's own for reading and writing that has no memory, for {@link #fill} to put some where it
     * is needed.
     *
     * @throws HeapException the kernel's refusal
     */
    public MemorySegment mapEmpty(String heap, int fd, long size) {
        return mapUnpopulated(heap, fd, size, Access.READ_WRITE);
    }

    /**
     * Puts pages behind a part of a mapping of a heap's own that has none.
     *
     * @return false when there is no memory for them
     */
    public boolean fill(MemorySegment part) {
        int result = populate(part.address(), part.byteSize(), Access.READ_WRITE);
        if (result == -Errno.EINVAL.number()) {
            touch(part);
            return true;
        }
        return result >= 0;
    }

    private static void touch(MemorySegment zeroed) {
        for (long offset = 0; offset < zeroed.byteSize(); offset += Bytes.PAGE) {
            zeroed.set(ValueLayout.JAVA_BYTE, offset, (byte) 0);
        }
    }

    @SuppressWarnings("restricted") // gives a mapping of this process its size
    private MemorySegment mapUnpopulated(String heap, int fd, long size, Access access) {
        int protection = access.writes() ? PROT_READ | PROT_WRITE : PROT_READ;
        long address = syscalls.mmap(size, protection, MAP_SHARED, fd, 0);
        if (address < 0) {
            throw KernelError.of(heap, size, "mmap", (int) address);
        }
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    /** {@return whether page tables were filled; else each access fills its own} Unmaps when it throws. */
    private boolean populate(String heap, MemorySegment mapping, Access access) {
        int result = populate(mapping.address(), mapping.byteSize(), access);
        // EINVAL: the kernel is too old to fill page tables ahead, or the memory is no file's.
        if (result < 0 && result != -Errno.EINVAL.number()) {
            unmap(mapping);
            throw KernelError.of(heap, mapping.byteSize(), "madvise(MADV_POPULATE)", result);
        }
        return result >= 0;
    }

    private int populate(long address, long size, Access access) {
        int advice = access.writes() ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
        int result;
        do {
            result = syscalls.madvise(address, size, advice);
        } while (result == -Errno.EINTR.number() || result == -Errno.EAGAIN.number());
        return result;
    }

    /** Ends a mapping, which must not be touched from then on. */
    public void unmap(MemorySegment mapping) {
        syscalls.munmap(mapping.address(), mapping.byteSize());
    }
}
