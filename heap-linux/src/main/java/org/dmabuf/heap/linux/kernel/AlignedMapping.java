// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Maker of mappings at aligned addresses. One entry of a page table maps a whole large folio only there. The kernel
 * itself aligns mappings of memfds only if the machine's settings make large folios for all of them.
 */
final class AlignedMapping {
    private static final int PROT_NONE = 0;
    private static final int MAP_PRIVATE = 0x2;
    private static final int MAP_FIXED = 0x10;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int NO_FD = -1;

    private AlignedMapping() {}

    /**
     * Maps a file from its start. It reserves more addresses than necessary, maps the file at the aligned one, and
     * returns the others.
     *
     * @param length bytes
     * @param protection {@code PROT_*}
     * @param fd descriptor
     * @param alignment bytes, a power of two
     * @return a multiple of the alignment, or a negative error number
     */
    static long map(Syscalls syscalls, long length, int protection, int fd, long alignment) {
        long reserved = length + alignment;
        long start = syscalls.mmap(0, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NO_FD, 0);
        if (start < 0) {
            return start;
        }
        long aligned = start + alignment - 1 & -alignment;
        long mapped = syscalls.mmap(aligned, length, protection, Mmap.MAP_SHARED | MAP_FIXED, fd, 0);
        if (mapped < 0) {
            syscalls.munmap(start, reserved);
            return mapped;
        }
        if (aligned > start) {
            syscalls.munmap(start, aligned - start);
        }
        syscalls.munmap(aligned + length, start + reserved - aligned - length);
        return aligned;
    }
}
