// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.util.Objects;

/**
 * Watch of one owner for the last holder of exported memory, made by {@link HolderTracker#watch}. Any thread may call
 * any method.
 */
public final class HolderWatch implements AutoCloseable {
    private final HolderTable table;
    final HolderTracker owner;
    final TrackedFile file;

    // Guarded by the table.
    Runnable callback;
    /** Whether the next thread that runs callbacks is to run this one. */
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
     * Begins to wait. The owner must have ended its own uses before, including descriptors and mappings. The callback
     * runs once, when no descriptor, mapping, message in flight or importer is left. If that is already so, it runs
     * before this method returns. It runs in this thread, in another thread that calls this method or
     * {@link HolderTracker#look}, or in the thread that waits for all holders. It must be short and pass long work to a
     * thread of its owner. Its exceptions are logged. After {@link #close()} or {@link HolderTracker#close()} it does
     * not run.
     *
     * @param holdersGone runs when the last holder is gone
     * @throws IllegalStateException when this was called before
     */
    public void whenGone(Runnable holdersGone) {
        table.whenGone(this, Objects.requireNonNull(holdersGone));
    }

    /** Ends the wait. The callback does not run unless it has begun. Closing twice does nothing. */
    @Override
    public void close() {
        table.drop(this);
    }
}
