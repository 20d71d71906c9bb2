// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.syscall.Wrapping;

/** Trackers of holders with fictitious calls, separate from this process's other trackers. */
public final class MadeUpHolders {
    private final HolderTable table;

    /** One table for all trackers, as in a process. */
    public MadeUpHolders(Syscalls syscalls, Wrapping wrapping) {
        table = new HolderTable(syscalls, wrapping.wrap(HolderCalls.class, HolderCalls.linux()));
    }

    /** {@return one more tracker, which the caller closes} */
    public HolderTracker tracker() {
        return new HolderTracker(table);
    }
}
