// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.seccomp;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Listener of a seccomp filter: it receives the system calls that the filter traps, and answers them. Calls that are
 * not answered wait. When the listener is closed, they and all later ones fail with ENOSYS.
 *
 * <p>One thread at a time receives. Any thread may answer a call that it holds. The caller closes the listener after
 * its last call has returned.
 *
 * <p>A client can keep its listener and receive its own calls. The kernel has no receipt without a wait, so {@link
 * #receive} then waits for the next call, deaf to the {@link StopSignal}. Since Linux 6.11 this wait ends with the last
 * task that has the filter. On earlier kernels it has no end.
 */
public final class SeccompListener implements AutoCloseable {
    /** Result of {@link #receive}. */
    public enum Event {
        /** The object holds a call, which waits for an answer. */
        CALL,
        /** The last task with the filter has ended. */
        ENDED,
        /** The {@link StopSignal} is raised, and no other receiver took a call. */
        STOPPED
    }

    // Encoded as _IOWR('!', 0, struct seccomp_notif) and so on. The sizes of the structs are those of Linux 5.0.
    private static final long SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100L;
    private static final long SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101L;
    private static final long SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102L;
    private static final long SECCOMP_IOCTL_NOTIF_ADDFD = 0x40182103L;
    private static final long SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104L;

    private static final int SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
    private static final long SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1;
    private static final int O_CLOEXEC = 0x80000;

    private static final short POLLIN = 0x1;
    private static final short POLLERR_HUP = 0x18;
    // struct pollfd: int fd, short events, short revents
    private static final int POLLFD_BYTES = 8;
    private static final long POLL_EVENTS = 4;
    private static final long POLL_REVENTS = 6;

    private final Syscalls syscalls;
    private final OwnedFd listener;
    private final MemorySegment polled = Arena.ofAuto().allocate(3 * POLLFD_BYTES, 8);

    private SeccompListener(Syscalls syscalls, OwnedFd listener) {
        this.syscalls = syscalls;
        this.listener = listener;
    }

    private void poll(int index, int fd) {
        polled.set(JAVA_INT, index * POLLFD_BYTES, fd);
        polled.set(JAVA_SHORT, index * POLLFD_BYTES + POLL_EVENTS, POLLIN);
    }

    /**
     * Takes a listener's descriptor over from its owner. On Linux 6.6 and later, a client and the receiving thread then
     * wake each other on one processor.
     *
     * @param descriptor from seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER), which is detached
     * @param stop ends {@link #receive}; the caller closes it after this listener
     * @return the listener
     * @throws IllegalArgumentException for a descriptor of another file, which the caller keeps
     */
    public static SeccompListener of(OwnedFd descriptor, StopSignal stop) {
        return of(Syscalls.linux(), descriptor, stop);
    }

    static SeccompListener of(Syscalls syscalls, OwnedFd descriptor, StopSignal stop) {
        requireListener(descriptor);
        OwnedFd owner = OwnedFd.awaiting(syscalls::close, Optional.empty());
        SeccompListener made = new SeccompListener(syscalls, owner);
        made.poll(1, stop.fd()); // before the descriptor is taken over, because a closed signal throws
        owner.own(descriptor.detach());
        made.poll(0, owner.fd());
        // Earlier kernels return EINVAL and stay slower.
        syscalls.ioctl(owner.fd(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
        return made;
    }

    /** A file of another kind could block in an ioctl, or give one of the numbers another meaning. */
    private static void requireListener(OwnedFd listener) {
        String file;
        try {
            file = Files.readSymbolicLink(Path.of("/proc/self/fd/" + listener.fd()))
                    .toString();
        } catch (IOException e) {
            throw new IllegalStateException("reading /proc/self/fd failed: " + e.getMessage() + "; mount /proc", e);
        }
        if (!file.equals("anon_inode:seccomp notify")) {
            throw new IllegalArgumentException("invalid descriptor of '" + file + "': expected a listener of seccomp");
        }
    }

    /**
     * Waits for the next call.
     *
     * @param call gets the call
     * @return what ended the wait
     */
    public Event receive(TrappedCall call) {
        try {
            return receiveOrEnd(call);
        } finally {
            Reference.reachabilityFence(call); // the kernel has only addresses
            Reference.reachabilityFence(this);
        }
    }

    private Event receiveOrEnd(TrappedCall call) {
        while (true) {
            polled.set(JAVA_SHORT, POLL_REVENTS, (short) 0);
            polled.set(JAVA_SHORT, POLLFD_BYTES + POLL_REVENTS, (short) 0);
            int ready = syscalls.poll(polled.address(), 2, -1);
            short events = polled.get(JAVA_SHORT, POLL_REVENTS);
            if (ready < 0) {
                requireInterrupted("poll", ready);
            } else if (polled.get(JAVA_SHORT, POLLFD_BYTES + POLL_REVENTS) != 0) {
                return Event.STOPPED;
            } else if ((events & POLLIN) != 0) {
                // The kernel counts the calls that wait, so this does not block even if the call's task has ended. It
                // blocks if another process has received the call meanwhile.
                int result = syscalls.ioctl(listener.fd(), SECCOMP_IOCTL_NOTIF_RECV, call.emptied());
                if (result == 0) {
                    return Event.CALL;
                }
                if (result != -Errno.ENOENT.number()) {
                    requireInterrupted("ioctl(SECCOMP_IOCTL_NOTIF_RECV)", result);
                }
            } else if ((events & POLLERR_HUP) != 0) {
                return Event.ENDED;
            }
        }
    }

    /**
     * Waits until another file can be read, and no longer than until {@link #receive} has something to return. Only
     * the thread that may receive calls this.
     *
     * @param fd descriptor of the other file
     * @param millis longest wait in milliseconds
     * @return whether the other file can be read
     */
    public boolean awaitOther(int fd, int millis) {
        poll(2, fd);
        polled.set(JAVA_SHORT, 2 * POLLFD_BYTES + POLL_REVENTS, (short) 0);
        int ready = syscalls.poll(polled.address(), 3, millis);
        Reference.reachabilityFence(this); // the kernel has only an address
        return ready > 0 && polled.get(JAVA_SHORT, 2 * POLLFD_BYTES + POLL_REVENTS) != 0;
    }

    private static void requireInterrupted(String call, int result) {
        if (result != -Errno.EINTR.number()) {
            throw new IllegalStateException(
                    call + " failed: " + Errno.of(-result).meaning());
        }
    }

    /** {@return whether the call still waits for its answer; false after a signal or the end of its task} */
    public boolean isValid(TrappedCall call) {
        return ioctl(call, SECCOMP_IOCTL_NOTIF_ID_VALID, call.identity()) == 0;
    }

    /**
     * Adds a descriptor to the process. No other process can close it again, so an answer must follow at once.
     *
     * @param call a call that waits
     * @param fd a descriptor of this process, which the caller keeps
     * @param closeOnExec whether the process's exec(2) closes it
     * @return the number in the process, or a negative error number: {@link Errno#ENOENT} if the call does not wait any
     *     longer, {@link Errno#EMFILE} at the process's limit, {@link Errno#EACCES} from a security module
     */
    public int addDescriptor(TrappedCall call, int fd, boolean closeOnExec) {
        return ioctl(call, SECCOMP_IOCTL_NOTIF_ADDFD, call.addition(fd, closeOnExec ? O_CLOEXEC : 0));
    }

    /**
     * Ends the call with a result.
     *
     * @param call a call that waits
     * @param result 0 or a negative error number, which the call returns
     * @return whether the call still waited
     */
    public boolean answer(TrappedCall call, int result) {
        return ioctl(call, SECCOMP_IOCTL_NOTIF_SEND, call.response(result, 0)) == 0;
    }

    /**
     * Lets the kernel execute the call, as if there were no filter. The process can change the call's memory until
     * then.
     *
     * @param call a call that waits
     * @return whether the call still waited
     */
    public boolean proceed(TrappedCall call) {
        return ioctl(call, SECCOMP_IOCTL_NOTIF_SEND, call.response(0, SECCOMP_USER_NOTIF_FLAG_CONTINUE)) == 0;
    }

    /** Repeats an ioctl that a signal interrupted before the kernel did anything. */
    private int ioctl(TrappedCall call, long request, long struct) {
        int result;
        do {
            result = syscalls.ioctl(listener.fd(), request, struct);
        } while (result == -Errno.EINTR.number());
        Reference.reachabilityFence(call); // the kernel has only an address
        return result;
    }

    /** Closes the descriptor. Closing twice does nothing. */
    @Override
    public void close() {
        listener.close();
    }
}
