// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.util.Set;

/**
 * Credentials of the process at the other end of a Unix socket, as the kernel recorded them when that process connected
 * or called listen. Immutable.
 */
public final class PeerCredentials {
    private final int pid;
    private final int uid;
    private final int gid;
    private final Set<Integer> groups;

    PeerCredentials(int pid, int uid, int gid, Set<Integer> groups) {
        this.pid = pid;
        this.uid = uid;
        this.gid = gid;
        this.groups = Set.copyOf(groups);
    }

    /** {@return process id, 0 for a process of another PID namespace that is not visible from this one} */
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

    /** {@return supplementary group ids; empty on a kernel that does not report them (before Linux 4.13)} */
    public Set<Integer> groups() {
        return groups;
    }

    @Override
    public String toString() {
        String user = "user " + Integer.toUnsignedString(uid);
        return pid == 0 ? "a process of another PID namespace, " + user : "process " + pid + " of " + user;
    }
}
