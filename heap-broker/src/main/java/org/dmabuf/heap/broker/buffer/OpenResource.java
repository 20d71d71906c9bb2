// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.ref.ReferenceQueue;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * Something that a client has open, and that is taken back when its bundle has stopped. It is a link of a ring of its
 * client's {@link OpenResources}, so keeping it costs no other object.
 */
public abstract class OpenResource extends EndsOnce {
    /**
     * Which ring it belongs to, for life. Final, so that whoever closes it sees it even when it was handed over between
     * threads without care.
     */
    final int stripe = (int) Thread.currentThread().threadId();

    /** Neighbours in the ring, null outside of one; touched by {@link OpenResources} alone. */
    OpenResource previous;

    OpenResource next;

    /** Is the object that the client has, or is found by other means. */
    public OpenResource() {
        super(null, null);
    }

    /**
     * Watches over the object that the client has.
     *
     * @param handle what the client has
     * @param lost is given this when the handle became unreachable
     */
    public OpenResource(Object handle, ReferenceQueue<Object> lost) {
        super(handle, lost);
    }

    /**
     * Ends it on the calling thread, which is its client's. Ending it twice does nothing. When it throws for want of
     * stack or memory, it can be ended again.
     */
    public abstract void end();

    /**
     * Ends it, and has the heap's reaper do what calls the heap's code. Waits for nothing. Reclaiming it twice does
     * nothing; when it throws for want of stack or memory, it can be reclaimed again.
     *
     * @return the reaper, or null when nothing was handed over
     */
    public abstract Reaper reclaim();

    @Override
    public void lost() {
        reclaim();
    }
}
