// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

/**
 * Who is at the other end of a Unix socket, as the kernel says: the process that connected, or that called
 * listen, at that time.
 * Immutable.
 */
public final class Peer {
    private final int pid;
    private final int uid;
    private final int gid;

    Peer(int pid, int uid, int gid) {
        this.pid = pid;
        this.uid = uid;
        this.gid = gid;
    }

    /** {@return process id, 0 for a process outside this pid namespace} */
    public int pid() {
        return pid;
    }

    /** {@return effective user id} */
    public int uid() {
        return uid;
    }

    /** {@return effective group id} */
    public int gid() {
        return gid;
    }

    @Override
    public String toString() {
        return "process " + pid + " of user " + uid;
    }
}
