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
 * Mapper of descriptors that this process received. It fills the page tables, so that later accesses do not fault. Any
 * thread may call any method.
 */
public final class Mappings {
    private final Mmap mmap;

    /**
     * Makes an object that uses the given system calls.
     *
     * @param syscalls the kernel
     */
    public Mappings(Syscalls syscalls) {
        mmap = new Mmap(syscalls);
    }

    /**
     * Maps a received descriptor. The mapping is removed as soon as the arena ends. A {@link org.dmabuf.heap.DmaBuf}
     * has a method of its own for this.
     *
     * <p>Another process may be able to remove the memory, unless it is sealed. An access may then throw
     * {@link InternalError}.
     *
     * @param fd a descriptor, which the caller keeps and may close at once
     * @param size bytes, at most the size of the file
     * @param access READ returns a read-only segment
     * @param arena not the global arena
     * @return a segment of {@code size} bytes
     * @throws HeapException when the kernel refuses
     */
    @SuppressWarnings("restricted") // sets the size and the lifetime of a mapping of this process
    public MemorySegment map(OwnedFd fd, long size, Access access, Arena arena) {
        UnmapOnce end = new UnmapOnce(); // first, so that no mapping exists without its unmapping
        MemorySegment segment = null;
        try {
            end.mapping = mmap.map("", fd.fd(), size, access);
            segment = end.mapping.reinterpret(arena, end);
            return access.writes() ? segment : segment.asReadOnly();
        } finally {
            if (segment == null) {
                end.accept(null); // runs once, although the arena may have registered it before the failure
            }
        }
    }

    /** Unmapping that runs once, either when the arena ends or after a failed call. */
    private final class UnmapOnce extends AtomicBoolean implements Consumer<MemorySegment> {
        private static final long serialVersionUID = 1L;

        /** Null before the mapping exists. */
        private transient MemorySegment mapping;

        @Override
        public void accept(MemorySegment ended) {
            if (mapping != null && compareAndSet(false, true)) {
                mmap.unmap(mapping);
            }
        }
    }
}
