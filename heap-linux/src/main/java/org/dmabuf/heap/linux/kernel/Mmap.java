// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Mapper of descriptors by mmap(2). It fills the page tables if the kernel supports that, so that later accesses do not
 * fault. A mapping from 2 MiB on begins at a multiple of that if possible, so that it maps large folios as a whole.
 */
public final class Mmap {
    public static final int PROT_READ = 0x1;
    public static final int PROT_WRITE = 0x2;
    public static final int MAP_SHARED = 0x1;
    public static final int MADV_POPULATE_READ = 22; // since 5.14, EINVAL before
    public static final int MADV_POPULATE_WRITE = 23;

    private static final String POPULATE = "madvise(MADV_POPULATE)";

    /** Bytes that one page of a page table maps, with 8 bytes for each page: 2 MiB on pages of 4 KiB. */
    private static final long LARGE = Bytes.PAGE / Long.BYTES * Bytes.PAGE;

    /** Way to map a file at an aligned address. */
    private interface Alignment {
        long map(Syscalls syscalls, long length, int protection, int fd, long alignment);
    }

    private final Syscalls syscalls;

    /** Makes an object that uses the given system calls. Any thread may call any method. */
    public Mmap(Syscalls syscalls) {
        KernelError.prepareForMappings();
        this.syscalls = syscalls;
    }

    /**
     * {@return a client's mapping of a buffer, which the caller unmaps; an interrupt of the thread does not end the
     * call}
     */
    public MemorySegment map(String heap, int fd, long size, Access access) {
        MemorySegment mapping = mapUnpopulated(heap, fd, size, access, AlignedMapping::map);
        int result = populate(mapping, access);
        if (result < 0 && !isUnable(result)) {
            unmap(mapping);
            if (result == -Errno.EFAULT.number() && syscalls.size(fd) < size) { // its owner has shortened it
                throw KernelError.of(heap, size, POPULATE, result);
            }
            throw notPopulated(heap, size, result);
        }
        return mapping;
    }

    /**
     * Maps a heap's own memfd for reading and writing, for the life of its buffer, and touches every page. Pages from
     * fallocate(2) have old contents before that: the file hides them, but a dma-buf of the pages does not.
     *
     * @throws HeapException {@link Errno#EAGAIN} when the process has no space for a mapping, because another heap
     *     would not help; {@link Errno#EINTR} when the thread was interrupted between two {@linkplain Pieces pieces}
     */
    public MemorySegment mapToKeep(String heap, int fd, long size) {
        MemorySegment mapping;
        try {
            mapping = mapEmpty(heap, fd, size);
        } catch (HeapException e) {
            throw KernelError.ofMapping(heap, e);
        }
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
    }

    /**
     * Maps a heap's own memfd without pages for reading and writing. {@link #fill} adds pages where they are needed.
     *
     * @throws HeapException the kernel's refusal
     */
    public MemorySegment mapEmpty(String heap, int fd, long size) {
        return mapUnpopulated(heap, fd, size, Access.READ_WRITE, AlignedMapping::mapMemfd);
    }

    /**
     * Allocates the pages of a part of a heap's own mapping.
     *
     * @return false when memory is short; the part may have some pages then
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted between two {@linkplain Pieces pieces};
     *     the part may have some pages then
     */
    public boolean fill(String heap, MemorySegment part) {
        return populateInPieces(heap, part) >= 0;
    }

    /** {@return 0, or a negative error number} */
    private int populateInPieces(String heap, MemorySegment zeroed) {
        for (long done = 0; done < zeroed.byteSize(); ) {
            MemorySegment piece = zeroed.asSlice(done, Pieces.next(heap, done, zeroed.byteSize()));
            int result = populate(piece, Access.READ_WRITE);
            if (result < 0 && isUnable(result)) {
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

    @SuppressWarnings("restricted") // sets the size of a mapping of this process
    private MemorySegment mapUnpopulated(String heap, int fd, long size, Access access, Alignment way) {
        int protection = access.writes() ? PROT_READ | PROT_WRITE : PROT_READ;
        long address = size < LARGE ? -1 : way.map(syscalls, size, protection, fd, LARGE);
        if (address < 0) { // also if there is no space for the alignment
            address = syscalls.mmap(0, size, protection, MAP_SHARED, fd, 0);
        }
        if (address < 0) {
            throw KernelError.of(heap, size, "mmap", (int) address);
        }
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    /**
     * Returns whether the kernel cannot fill page tables: it is too old, the memory is not a file's, or a sandbox
     * refuses the call. Each access then faults and fills its own entry.
     */
    private static boolean isUnable(int result) {
        return switch (Errno.of(-result)) {
            case EINVAL, EPERM, EACCES, ENOSYS -> true;
            default -> false;
        };
    }

    private static HeapException notPopulated(String heap, long size, int result) {
        // An access would raise SIGBUS. The cause is a page that the machine does not promise (strict overcommit).
        int cause = result == -Errno.EFAULT.number() ? -Errno.ENOMEM.number() : result;
        return KernelError.of(heap, size, POPULATE, cause);
    }

    private int populate(MemorySegment mapping, Access access) {
        int advice = access.writes() ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
        return populate(syscalls, mapping.address(), mapping.byteSize(), advice);
    }

    /** {@return 0, or a negative error number of madvise(2)} */
    static int populate(Syscalls syscalls, long address, long length, int advice) {
        int result;
        do {
            result = syscalls.madvise(address, length, advice);
        } while (result == -Errno.EINTR.number() || result == -Errno.EAGAIN.number());
        return result;
    }

    /** Ends a mapping. It must not be accessed afterwards. */
    public void unmap(MemorySegment mapping) {
        syscalls.munmap(mapping.address(), mapping.byteSize());
    }
}
