// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.seccomp;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Signal that ends the waits of all listeners, once and for good. Any thread may call any method. It is closed after
 * the listeners.
 */
public final class StopSignal implements AutoCloseable {
    private static final int EFD_NONBLOCK_CLOEXEC = 0x80800;

    private final Syscalls syscalls;
    private final OwnedFd event;
    private final MemorySegment one = Arena.ofAuto().allocateFrom(ValueLayout.JAVA_LONG, 1);

    /**
     * Makes a signal.
     *
     * @throws IllegalStateException when this process has no free descriptor
     */
    public StopSignal() {
        syscalls = Syscalls.linux();
        int made = syscalls.eventfd(EFD_NONBLOCK_CLOEXEC);
        if (made < 0) {
            throw new IllegalStateException("eventfd failed: " + Errno.of(-made).meaning());
        }
        event = OwnedFd.of(made, syscalls::close);
    }

    /** Ends all waits, and those that begin later. */
    public void raise() {
        try {
            syscalls.write(event.fd(), one.address(), Long.BYTES);
        } finally {
            Reference.reachabilityFence(this); // the call has only an address
        }
    }

    /** {@return a descriptor that is readable from {@link #raise} on} */
    int fd() {
        return event.fd();
    }

    @Override
    public void close() {
        event.close();
    }
}
