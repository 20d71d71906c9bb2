// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * System calls for Unix sockets, with the kernel's results: 0 or more, or a negative error number. They are separate
 * from {@link Syscalls}, because heaps do not need them. Descriptors are closed through {@link Syscalls#close}.
 */
interface SocketCalls {
    /** {@return the calls of the running kernel} */
    static SocketCalls linux() {
        return LinuxSocketCalls.INSTANCE;
    }

    /** {@return a close-on-exec socket of type SOCK_SEQPACKET, or a negative error number} */
    int socket();

    /** {@return a close-on-exec socket of type SOCK_STREAM, or a negative error number} */
    int streamSocket();

    /**
     * Makes a socket of another type than {@link #socket}. Connecting it to an address shows whether a process listens
     * there (EPROTOTYPE) or not (ECONNREFUSED), and the listening process does not notice.
     *
     * @return a close-on-exec socket of type SOCK_DGRAM, or a negative error number
     */
    int datagramSocket();

    /** Sets the mode of the file that a later {@link #bind} makes. */
    int fchmod(int fd, int mode);

    int bind(int fd, String path);

    /** Connects to a path, or to the abstract address after a first character 0. */
    int connect(int fd, String path);

    /** Locks an open folder by flock(2) against other callers, or returns EAGAIN. Closing the folder unlocks it. */
    int lock(int folder);

    /** Renames a file without replacing another one; if there is one, returns EEXIST. */
    int rename(String from, String to);

    int listen(int fd, int backlog);

    /** {@return the close-on-exec socket of a connection} */
    int accept(int fd);

    /** Ends every waiting call on the socket, in any thread. */
    int shutdown(int fd);

    /** Sets the time after which a waiting call on the socket returns EAGAIN; 0 means no limit. */
    int timeout(int fd, long millis);

    /** As {@link #timeout}, but only for calls that receive or accept. */
    int receiveTimeout(int fd, long millis);

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
     * @param groups space for ids of 4 bytes each
     * @return number of bytes, or a negative error number; ERANGE if the space is too small
     */
    int peerGroups(int fd, MemorySegment groups);

    /** sendmsg(2) of a prepared msghdr, without a signal after the peer has closed the connection. */
    long send(int fd, MemorySegment msghdr);

    /** recvmsg(2) into a prepared msghdr; received descriptors are close-on-exec. */
    long receive(int fd, MemorySegment msghdr);
}
