// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

/**
 * Deferred call into a heap's code for which no client waits. It is itself a link in the queue of the heap's {@link
 * Reaper}, so submitting it allocates nothing and cannot fail for lack of memory. It can be in at most one queue.
 */
public interface DeferredWork {
    /** Does the remaining steps. */
    void perform();

    /** {@return a description for the log; this method calls no code of the heap} */
    default String what() {
        return toString();
    }

    /** {@return bytes of memory that this work may return, 0 for work that returns no memory} */
    long bytes();

    /** {@return the next work in the queue, null at the end} */
    DeferredWork next();

    /** Links the next work. Only the reaper calls this, under its lock. */
    void next(DeferredWork behind);
}
