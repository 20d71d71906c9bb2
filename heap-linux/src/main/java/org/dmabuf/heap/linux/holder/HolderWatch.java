// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.util.Objects;

/**
 * Wait of one owner for the last holder of memory that left the process. Made by {@link HolderTracker#watch}. Any
 * thread may call any method.
 */
public final class HolderWatch implements AutoCloseable {
    private final HolderTable table;
    final HolderTracker owner;
    final TrackedFile file;

    // Guarded by the table.
    Runnable callback;
    /** Whether the callback is to be run by the next thread that runs callbacks. */
    boolean due;

    HolderWatch nextDue;
    boolean gone;
    boolean dropped;

    HolderWatch(HolderTable table, HolderTracker owner, TrackedFile file) {
        this.table = table;
        this.owner = owner;
        this.file = file;
    }

    /**
     * Begins to wait, once the owner's own uses have ended, its descriptors and mappings among them. The callback runs
     * once, when no descriptor, mapping, message in flight or importer is left anywhere: before this method returns,
     * when that is so already. It may also be run by another thread's call of this method, by one of
     * {@link HolderTracker#look}, or by the one thread that waits for all holders. So it must be short, and hands long
     * work to a thread of its owner's. An exception of it is logged. After {@link #close()}, or
     * {@link HolderTracker#close()}, it does not run.
     *
     * @param holdersGone run when the last holder is gone
     * @throws IllegalStateException when this was called before
     */
    public void whenGone(Runnable holdersGone) {
        table.whenGone(this, Objects.requireNonNull(holdersGone));
    }

    /** Ends the wait. The callback does not run then, unless it has begun. Closing twice does nothing. */
    @Override
    public void close() {
        table.drop(this);
    }
}
