// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

/**
 * A deferred call into a heap's code for which no client waits. It is a link in the queue of the heap's {@link Reaper},
 * so submitting it allocates nothing and cannot fail for want of memory. It is in one queue at most.
 */
public interface DeferredWork {
    /** Does the steps that are not done yet. */
    void perform();

    /** {@return its description for the log; calls no code of the heap} */
    default String what() {
        return toString();
    }

    /** {@return bytes of memory that may come back with it, 0 for work that brings none} */
    long bytes();

    /** {@return the work behind it in the queue, null at the end} */
    DeferredWork next();

    /** Links the work behind it. Called by the reaper alone, under its lock. */
    void next(DeferredWork behind);
}
