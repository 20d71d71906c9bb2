// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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
        MemorySegment mapping = map("", fd.fd(), size, access);
        try {
            MemorySegment segment = mapping.reinterpret(arena, this::unmap);
            return access.writes() ? segment : segment.asReadOnly();
        } catch (RuntimeException | Error e) {
            unmap(mapping);
            throw e;
        }
    }

    /** Maps for a heap's buffer; the caller unmaps. */
    @SuppressWarnings("restricted") // gives a mapping of this process its size
    MemorySegment map(String heap, int fd, long size, Access access) {
        int protection = access.writes() ? PROT_READ | PROT_WRITE : PROT_READ;
        long address = syscalls.mmap(size, protection, MAP_SHARED, fd, 0);
        if (address < 0) {
            throw Refusal.of(heap, size, "mmap", (int) address);
        }
        int result = populate(address, size, access);
        // EINVAL: the kernel is too old to fill page tables ahead, or the memory is no file's; the accesses will.
        if (result < 0 && result != -Errno.EINVAL.number()) {
            syscalls.munmap(address, size);
            throw Refusal.of(heap, size, "madvise(MADV_POPULATE)", result);
        }
        return MemorySegment.ofAddress(address).reinterpret(size);
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
