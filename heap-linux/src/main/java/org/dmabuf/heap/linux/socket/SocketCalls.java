// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * System calls of Unix sockets, as the kernel gives them: a result of 0 or more, or the negative error number.
 * Apart from {@link Syscalls}, because no heap needs them. Descriptors are closed through {@link Syscalls#close}.
 */
interface SocketCalls {
    /** {@return the calls of the running kernel} */
    static SocketCalls linux() {
        return LinuxSocketCalls.INSTANCE;
    }

    /** {@return a close-on-exec socket of packets that keep their bounds, or a negative error number} */
    int socket();

    /**
     * Makes a socket of another type than {@link #socket}: connecting it to one of those shows whether a process has
     * the address (EPROTOTYPE) or no process has it (ECONNREFUSED). The process that has it notices nothing.
     *
     * @return a close-on-exec socket, or a negative error number
     */
    int probe();

    /** Sets the mode of the file that {@link #bind} will make. */
    int fchmod(int fd, int mode);

    int bind(int fd, String path);

    int connect(int fd, String path);

    /** Locks an open folder against other users of this call (flock), or returns EAGAIN; closing it unlocks. */
    int lock(int folder);

    /** Renames a file, and never over another one: then it returns EEXIST. */
    int rename(String from, String to);

    int listen(int fd, int backlog);

    /** {@return the close-on-exec socket of a connection} */
    int accept(int fd);

    /** Ends every call that waits on the socket, in any thread. */
    int shutdown(int fd);

    /** Lets every call that waits on the socket return EAGAIN after this long; 0 waits without limit. */
    int timeout(int fd, long millis);

    /**
     * Reads the credentials of the peer.
     *
     * @param fd a connected socket
     * @param ucred 12 bytes: pid, uid, gid of the process when it connected, or called listen
     * @return 0 or a negative error number
     */
    int peer(int fd, MemorySegment ucred);

    /**
     * Reads the supplementary groups of the peer.
     *
     * @param fd a connected socket
     * @param groups room for ids of 4 bytes each
     * @return how many bytes there are, or a negative error number; ERANGE when there is too little room
     */
    int peerGroups(int fd, MemorySegment groups);

    /** sendmsg(2) of a prepared msghdr, without a signal when the peer has gone. */
    long send(int fd, MemorySegment msghdr);

    /** recvmsg(2) into a prepared msghdr; descriptors that come with it are close-on-exec. */
    long receive(int fd, MemorySegment msghdr);
}
