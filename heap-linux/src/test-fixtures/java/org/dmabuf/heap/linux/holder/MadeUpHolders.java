// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.syscall.Wrapping;

/** Trackers of holders by made-up calls, apart from what else this process tracks. */
public final class MadeUpHolders {
    private final HolderTable table;

    /** All trackers share one table, as they do in a process. */
    public MadeUpHolders(Syscalls syscalls, Wrapping wrapping) {
        table = new HolderTable(syscalls, wrapping.wrap(HolderCalls.class, HolderCalls.linux()));
    }

    /** {@return one tracker more, to be closed} */
    public HolderTracker tracker() {
        return new HolderTracker(table);
    }
}
