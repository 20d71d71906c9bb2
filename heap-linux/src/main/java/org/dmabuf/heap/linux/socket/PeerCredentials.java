// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

/**
 * Process at the other end of a Unix socket, by the kernel's word: the one that connected, or that called listen, at
 * that time. Immutable.
 */
public final class PeerCredentials {
    private final int pid;
    private final int uid;
    private final int gid;

    PeerCredentials(int pid, int uid, int gid) {
        this.pid = pid;
        this.uid = uid;
        this.gid = gid;
    }

    /** {@return process id, 0 for a process of another PID namespace that is not seen from this one} */
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
        return (pid == 0 ? "a process of another PID namespace" : "process " + pid) + " of user " + uid;
    }
}
