// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.ref.ReferenceQueue;
import org.dmabuf.heap.broker.release.DeferredWork;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * A resource that a client has open, which is taken back when the client's bundle has stopped. It is a link of a ring
 * of {@link OpenResources}, so keeping it costs no other object.
 */
public abstract class OpenResource extends EndsOnce {
    /**
     * The number that selects its ring, for life. Final, so that the closing thread sees it even after a handover
     * without synchronization.
     */
    final int stripe = (int) Thread.currentThread().threadId();

    /** Neighbours in the ring, null outside of one; touched by {@link OpenResources} alone. */
    OpenResource previous;

    OpenResource next;

    /** Creates a resource that is itself the object that the client has, or that is found by other means. */
    public OpenResource() {
        super(null, null);
    }

    /**
     * Watches over the object that the client has.
     *
     * @param handle the object that the client has
     * @param lost receives this when the handle becomes unreachable
     */
    OpenResource(Object handle, ReferenceQueue<Object> lost) {
        super(handle, lost);
    }

    /**
     * Ends the resource on the calling thread, which is its client's. Ending it twice does nothing. When it throws for
     * want of stack or memory, it can be ended again.
     */
    public abstract void end();

    /**
     * Ends the resource, and has the heap's reaper make the calls into the heap's code. Waits for nothing. Reclaiming
     * it twice does nothing; when it throws for want of stack or memory, it can be reclaimed again.
     *
     * @return the reaper, or null when nothing was handed over
     */
    public abstract Reaper reclaim();

    /**
     * Hands the end over to a reaper, unless it has begun.
     *
     * @param reaper of the heap
     * @param work ends this resource
     * @return the reaper, or null when nothing was handed over
     */
    final Reaper handOver(Reaper reaper, DeferredWork work) {
        if (!beginEnd()) {
            return null;
        }
        boolean handedOver = false;
        try {
            reaper.submit(work);
            handedOver = true;
            return reaper;
        } finally {
            if (!handedOver) {
                ended = false;
            }
        }
    }

    @Override
    public void lost() {
        reclaim();
    }
}
