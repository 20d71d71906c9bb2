// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.util.function.Consumer;

/** All files whose last use the kernel tells of in one way. Guarded by its {@link HolderTable}. */
interface FileTracker {
    /** It is not to be looked at by the clock. */
    long NEVER = Long.MAX_VALUE;

    /** {@return nanoseconds until it is time to look, 0 or less when it is, or {@link #NEVER}} */
    long dueIn(long now);

    /**
     * Looks which of the files have gone that a watch waits for. Does not wait itself.
     *
     * @param now by the clock of {@link #dueIn}
     * @param atAll whether to look also at what it is not time for
     * @param gone is called once for each file, which is forgotten here before
     */
    void look(long now, boolean atAll, Consumer<TrackedFile> gone);
}
