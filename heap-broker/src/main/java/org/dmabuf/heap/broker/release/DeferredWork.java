// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

/**
 * A piece of work that calls a heap's code for no client that waits. It is a link of the queue of its heap's
 * {@link Reaper}, so handing it over allocates nothing and cannot fail for want of memory. It is in one queue at most.
 */
public interface DeferredWork {
    /** Does what is not done yet. */
    void perform();

    /** {@return what it is, for the log; calls no code of the heap} */
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
