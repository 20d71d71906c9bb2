// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fence;

import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * System calls of epoll(7), with the kernel's results: 0 or more, or a negative error number. They are separate from
 * {@link Syscalls}, because heaps do not need them.
 */
interface EpollCalls {
    /** Most files that one call reports: a thread's block has space for as many events on each processor. */
    int MOST_EVENTS = 16;

    /** {@return the calls of the running kernel} */
    static EpollCalls linux() {
        return LinuxEpollCalls.INSTANCE;
    }

    /** {@return a close-on-exec epoll instance, or a negative error number} */
    int create();

    /**
     * Adds a file, which is reported once when it can be read.
     *
     * @param token identifies the file in {@link #ready}
     */
    int add(int epoll, int fd, long token);

    int remove(int epoll, int fd);

    /**
     * Collects files that can be read, without waiting.
     *
     * @param tokens receives their tokens; an array of {@link #MOST_EVENTS} at most
     * @return the number of tokens, or a negative error number
     */
    int ready(int epoll, long[] tokens);
}
