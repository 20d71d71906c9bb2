// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.util.function.Consumer;

/** Tracker of the files of one kind, by the kernel's means for that kind. Guarded by its {@link HolderTable}. */
interface FileTracker {
    /** No polling: the kernel reports by itself, or there is no file. */
    long NEVER = Long.MAX_VALUE;

    /** {@return nanoseconds until the next poll, 0 or less when it is due, or {@link #NEVER}} */
    long dueIn(long now);

    /**
     * Finds files that have lost their last holder, at least all awaited ones. Does not wait.
     *
     * @param now time of the clock of {@link #dueIn}
     * @param atAll whether to check also files that are not due
     * @param gone called once for each such file, after this tracker has removed it
     */
    void look(long now, boolean atAll, Consumer<TrackedFile> gone);
}
