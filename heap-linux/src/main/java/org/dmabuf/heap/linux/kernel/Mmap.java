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

    /** {@return a client's mapping of a buffer, which the caller unmaps; an interrupt of the thread does not end it} */
    public MemorySegment map(String heap, int fd, long size, Access access) {
        MemorySegment mapping = mapUnpopulated(heap, fd, size, access);
        int result = populate(mapping, access);
        if (result < 0 && !isUnable(result)) {
            unmap(mapping);
            throw notPopulated(heap, size, result);
        }
        return mapping;
    }

    /**
     * Maps a memfd of a heap's own for reading and writing, for the life of its buffer, with every page touched. What
     * fallocate(2) made holds old contents until then. The file hides that, and a dma-buf of its pages does not.
     *
     * @throws HeapException {@link Errno#EAGAIN} where the process has no room for a mapping: another heap would not
     *     help; {@link Errno#EINTR} when the thread was interrupted between two {@linkplain Pieces pieces}
     */
    public MemorySegment mapToKeep(String heap, int fd, long size) {
        try {
            MemorySegment mapping = mapUnpopulated(heap, fd, size, Access.READ_WRITE);
            boolean kept = false;
            try {
                int result = populateInPieces(heap, mapping);
                if (result < 0) {
                    throw notPopulated(heap, size, result);
                }
                kept = true;
                return mapping;
            } finally {
                if (!kept) {
                    unmap(mapping);
                }
            }
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
     * @return false when there is no memory for them; some of the part may have pages then
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted between two {@linkplain Pieces pieces};
     *     some of the part may have pages then
     */
    public boolean fill(String heap, MemorySegment part) {
        return populateInPieces(heap, part) >= 0;
    }

    /** {@return 0, or a negative error number} */
    private int populateInPieces(String heap, MemorySegment zeroed) {
        for (long done = 0; done < zeroed.byteSize(); ) {
            MemorySegment piece = zeroed.asSlice(done, Pieces.next(heap, done, zeroed.byteSize()));
            int result = populate(piece, Access.READ_WRITE);
            if (isUnable(result)) {
                touch(piece);
            } else if (result < 0) {
                return result;
            }
            done += piece.byteSize();
        }
        return 0;
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

    /** The kernel is too old to fill page tables ahead, or the memory is no file's: each access fills its own. */
    private static boolean isUnable(int result) {
        return result == -Errno.EINVAL.number();
    }

    private static HeapException notPopulated(String heap, long size, int result) {
        return KernelError.of(heap, size, "madvise(MADV_POPULATE)", result);
    }

    private int populate(MemorySegment mapping, Access access) {
        int advice = access.writes() ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
        int result;
        do {
            result = syscalls.madvise(mapping.address(), mapping.byteSize(), advice);
        } while (result == -Errno.EINTR.number() || result == -Errno.EAGAIN.number());
        return result;
    }

    /** Ends a mapping, which must not be touched from then on. */
    public void unmap(MemorySegment mapping) {
        syscalls.munmap(mapping.address(), mapping.byteSize());
    }
}
