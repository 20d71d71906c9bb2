// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fd;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Mappings of descriptors that came from elsewhere, with their page tables filled so that no access faults later. Any
 * thread may call any method.
 */
public final class Mappings {
    private final Mmap mmap;

    /**
     * Maps by the given calls.
     *
     * @param syscalls the kernel
     */
    public Mappings(Syscalls syscalls) {
        mmap = new Mmap(syscalls);
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
            end.mapping = mmap.map("", fd.fd(), size, access);
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
                mmap.unmap(mapping);
            }
        }
    }
}
