// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Signal between threads by a counter of eventfd(2): any thread ends the wait of one other thread. The owner must
 * ensure that {@link #open} has returned 0 before any other call. After {@link #close} only a late {@link #await} is
 * permitted.
 */
public final class EventFd {
    public static final short POLLIN = 0x1;
    public static final short POLLPRI = 0x2;
    public static final short POLLERR = 0x8;

    private static final int EFD_NONBLOCK = 0x800;
    private static final int EFD_CLOEXEC = 0x80000;
    private static final int NONE = -1;

    // offsets in the block: two structs pollfd, the value read from the counter, and the value added to it
    private static final long POLLFD = 8;
    private static final long POLLFD_EVENTS = 4;
    private static final long POLLFD_REVENTS = 6;
    private static final long COUNTER = 16;
    private static final long ONE = 24;

    private final Syscalls syscalls;
    private final MemorySegment block = Arena.ofAuto().allocate(32, 8);
    private int fd = NONE;

    /** Makes a signal, which takes no resources of the system before {@link #open}. */
    public EventFd(Syscalls syscalls) {
        this.syscalls = syscalls;
        block.set(JAVA_LONG, ONE, 1);
    }

    /** Makes the counter. {@return 0, or a negative error number} */
    public int open() {
        int made = syscalls.eventfd(EFD_NONBLOCK | EFD_CLOEXEC);
        if (made < 0) {
            return made;
        }
        fd = made;
        return 0;
    }

    public boolean isOpen() {
        return fd != NONE;
    }

    /** Ends the current wait, or the next one. */
    public void signal() {
        try {
            syscalls.write(fd, block.address() + ONE, Long.BYTES);
        } finally {
            Reference.reachabilityFence(this); // the call has only the block's address
        }
    }

    /** Clears all signals up to now. */
    public void clear() {
        try {
            syscalls.read(fd, block.address() + COUNTER, Long.BYTES);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Waits for a signal, for events of another descriptor, or until the time has passed. One thread at a time may
     * wait.
     *
     * @param other a descriptor, negative for none
     * @param events the awaited events of that descriptor, {@code POLL*}
     * @param millis longest wait, negative for no limit
     * @return the events of that descriptor, or a negative error number
     */
    public int await(int other, short events, int millis) {
        pollfd(0, fd, POLLIN);
        pollfd(POLLFD, other, events);
        try {
            int result = syscalls.poll(block.address(), 2, millis);
            return result < 0 ? result : block.get(JAVA_SHORT, POLLFD + POLLFD_REVENTS);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private void pollfd(long offset, int number, short events) {
        block.set(JAVA_INT, offset, number);
        block.set(JAVA_SHORT, offset + POLLFD_EVENTS, events);
        block.set(JAVA_SHORT, offset + POLLFD_REVENTS, (short) 0);
    }

    /** Closes the counter. Call it once. */
    public void close() {
        if (fd != NONE) {
            syscalls.close(fd);
        }
    }
}
