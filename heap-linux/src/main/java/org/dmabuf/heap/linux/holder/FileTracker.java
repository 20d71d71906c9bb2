// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.util.function.Consumer;

/** Tracker of all files whose last use the kernel reports in one way. Guarded by its {@link HolderTable}. */
interface FileTracker {
    /** No time at which to look: the kernel reports, or no watch waits. */
    long NEVER = Long.MAX_VALUE;

    /** {@return nanoseconds until it is time to look, 0 or less when it is, or {@link #NEVER}} */
    long dueIn(long now);

    /**
     * Finds those of the awaited files that have gone. Does not wait itself.
     *
     * @param now by the clock of {@link #dueIn}
     * @param atAll whether to look also at files that are not due
     * @param gone is called once for each file, which is forgotten here before
     */
    void look(long now, boolean atAll, Consumer<TrackedFile> gone);
}
