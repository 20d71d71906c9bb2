// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;

/** mmap(2): shared mappings of descriptors, with their page tables filled so that no access faults later. */
public final class Mmap {
    static final int PROT_READ = 0x1;
    static final int PROT_WRITE = 0x2;
    static final int MAP_SHARED = 0x1;
    static final int MADV_POPULATE_READ = 22; // since 5.14, EINVAL before
    static final int MADV_POPULATE_WRITE = 23;

    private final Syscalls syscalls;

    /**
     * Maps by the given calls.
     *
     * @param syscalls the kernel
     */
    public Mmap(Syscalls syscalls) {
        this.syscalls = syscalls;
    }

    /**
     * Maps a descriptor until an arena ends, when the mapping is removed at once. For descriptors that came from
     * elsewhere; a {@link org.dmabuf.heap.DmaBuf} maps itself.
     *
     * <p>The memory can be another process's to take away, unless it is sealed: an access may then throw
     * {@link InternalError}.
     *
     * @param fd stays the caller's, and may be closed at once
     * @param size bytes, no more than the file has
     * @param access READ gives a read-only segment
     * @param arena not the global one
     * @return a segment of {@code size} bytes
     * @throws HeapException the kernel's refusal
     */
    @SuppressWarnings("restricted") // gives a mapping of this process its size and its end
    public MemorySegment map(OwnedFd fd, long size, Access access, Arena arena) {
        UnmapOnce end = new UnmapOnce(); // first: what is mapped must not lack what ends it
        MemorySegment segment = null;
        try {
            end.mapping = map("", fd.fd(), size, access);
            segment = end.mapping.reinterpret(arena, end);
            return access.writes() ? segment : segment.asReadOnly();
        } finally {
            if (segment == null) {
                end.accept(null); // the arena may have taken it over before that failed, and comes to its end as well
            }
        }
    }

    /** The end of a mapping, by its arena or by the call that failed: by the first of the two. */
    private final class UnmapOnce extends AtomicBoolean implements Consumer<MemorySegment> {
        private static final long serialVersionUID = 1L;

        /** Null until there is one. */
        private transient MemorySegment mapping;

        @Override
        public void accept(MemorySegment ended) {
            if (mapping != null && compareAndSet(false, true)) {
                unmap(mapping);
            }
        }
    }

    /** Maps for a heap's buffer; the caller unmaps. */
    MemorySegment map(String heap, int fd, long size, Access access) {
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
    MemorySegment mapToKeep(String heap, int fd, long size) {
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
    MemorySegment mapEmpty(String heap, int fd, long size) {
        return mapUnpopulated(heap, fd, size, Access.READ_WRITE);
    }

    /**
     * Puts pages behind a part of a mapping of a heap's own that has none.
     *
     * @return false when there is no memory for them
     */
    boolean fill(MemorySegment part) {
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

    /** {@return whether page tables were filled; false where accesses will do it one by one}. Unmaps when it throws. */
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

    void unmap(MemorySegment mapping) {
        syscalls.munmap(mapping.address(), mapping.byteSize());
    }
}
