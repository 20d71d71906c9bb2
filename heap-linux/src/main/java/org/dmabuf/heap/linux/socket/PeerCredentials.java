// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

/**
 * Credentials of the process at the other end of a Unix socket, as the kernel took them when that process connected or
 * called listen. Immutable.
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
