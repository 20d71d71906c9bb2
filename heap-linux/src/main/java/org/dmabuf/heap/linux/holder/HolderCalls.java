// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.io.IOException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * System calls by which holders of memory are tracked, as the kernel gives them: a result of 0 or more, or the negative
 * error number. Apart from {@link Syscalls}, because no heap needs them. Descriptors are closed and read through
 * {@link Syscalls}.
 */
interface HolderCalls {
    /** {@return the calls of the running kernel} */
    static HolderCalls linux() {
        return LinuxHolderCalls.INSTANCE;
    }

    /** {@return a close-on-exec inotify instance whose reads do not wait, or a negative error number} */
    int inotify();

    /**
     * inotify_add_watch(2).
     *
     * @return the watch's number, which is the same for each path of one inode, or a negative error number
     */
    int addWatch(int inotify, String path, int mask);

    int removeWatch(int inotify, int watch);

    /**
     * {@return what {@code /proc/self/fdinfo} has on a descriptor, one character a byte}
     *
     * @param fd an open descriptor
     * @throws IOException when it cannot be read
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left to read with
     */
    String fdinfo(int fd) throws IOException;

    /** Takes a shared lock of flock(2) for the open file, without waiting for other holders of it. */
    int lock(int fd);

    /**
     * {@return what {@code /proc/locks} has, one character a byte}
     *
     * @throws IOException when it cannot be read
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left to read with
     */
    String locks() throws IOException;
}
