// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.io.IOException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * System calls for tracking the holders of memory, with the kernel's results: 0 or more, or a negative error number.
 * They are separate from {@link Syscalls}, because heaps do not need them. Descriptors are closed and read through
 * {@link Syscalls}.
 */
interface HolderCalls {
    /** {@return the calls of the running kernel} */
    static HolderCalls linux() {
        return LinuxHolderCalls.INSTANCE;
    }

    /** {@return a close-on-exec inotify instance with non-blocking reads, or a negative error number} */
    int inotify();

    /**
     * inotify_add_watch(2).
     *
     * @return the watch's number, which is the same for each path of one inode, or a negative error number
     */
    int addWatch(int inotify, String path, int mask);

    int removeWatch(int inotify, int watch);

    /**
     * {@return the contents of {@code /proc/self/fdinfo} for a descriptor, one character a byte}
     *
     * @param fd an open descriptor
     * @throws IOException when it cannot be read
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left for the reading
     */
    String fdinfo(int fd) throws IOException;

    /** Takes a shared lock of flock(2) for the open file, without blocking. */
    int lock(int fd);

    /**
     * {@return the contents of {@code /proc/locks}, one character a byte}
     *
     * @throws IOException when it cannot be read
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left for the reading
     */
    String locks() throws IOException;
}
