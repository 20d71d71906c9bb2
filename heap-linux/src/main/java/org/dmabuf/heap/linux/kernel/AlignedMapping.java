// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Maker of mappings at aligned addresses. One entry of a page table maps a whole large folio only there. The kernel
 * itself aligns mappings of memfds only if the machine's settings make large folios for all of them.
 */
final class AlignedMapping {
    private static final int PROT_NONE = 0;
    private static final int MAP_PRIVATE = 0x2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MAP_FIXED_NOREPLACE = 0x100000; // since 4.17, only a wish before
    private static final int NO_FD = -1;

    /** Attempts while other threads take the addresses. */
    private static final int TRIES = 8;

    /** Held while memfds are mapped, because the kernel gives returned addresses to the next caller. */
    private static final Object MEMFDS = new Object();

    private AlignedMapping() {}

    /**
     * Maps a memfd as {@link #map} does, but threads that map memfds do not take each other's addresses. It holds a
     * lock and is therefore not for other files, whose driver may hang.
     */
    static long mapMemfd(Syscalls syscalls, long length, int protection, int fd, long alignment) {
        synchronized (MEMFDS) {
            return map(syscalls, length, protection, fd, alignment);
        }
    }

    /**
     * Maps a file from its start. It reserves more addresses than necessary, returns those at the aligned one, and maps
     * the file there. No mapping of another thread can be replaced or ended, not even if the kernel refuses the file:
     * mmap(2) over reserved addresses could return them before it fails.
     *
     * @param length bytes
     * @param protection {@code PROT_*}
     * @param fd descriptor
     * @param alignment bytes, a power of two
     * @return a multiple of the alignment (before Linux 4.17, perhaps another address), or a negative error number;
     *     EEXIST if other threads were always faster
     */
    static long map(Syscalls syscalls, long length, int protection, int fd, long alignment) {
        long address;
        int tries = 0;
        do {
            address = mapOnce(syscalls, length, protection, fd, alignment);
            tries++;
        } while (address == -Errno.EEXIST.number() && tries < TRIES);
        return address;
    }

    private static long mapOnce(Syscalls syscalls, long length, int protection, int fd, long alignment) {
        long start =
                syscalls.mmap(0, length + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NO_FD, 0);
        if (start < 0) {
            return start;
        }
        long aligned = start + alignment - 1 & -alignment;
        long before = aligned - start;
        int returned = syscalls.munmap(aligned, length);
        if (returned < 0) { // this divides a mapping, and the process has too many
            syscalls.munmap(start, length + alignment);
            return returned;
        }
        try {
            return syscalls.mmap(aligned, length, protection, Mmap.MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
        } finally {
            if (before > 0) {
                syscalls.munmap(start, before);
            }
            syscalls.munmap(aligned + length, alignment - before);
        }
    }
}
