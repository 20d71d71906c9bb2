// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.ref.ReferenceQueue;
import org.dmabuf.heap.broker.release.DeferredWork;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * Resource that a client has open and the broker ends when the client's bundle has stopped. It is itself a link in a
 * ring of {@link OpenResources}, to save an allocation.
 */
public abstract class OpenResource extends EndsOnce {
    /**
     * The number that selects its ring. Final, so that the closing thread sees it even after a handover without
     * synchronization.
     */
    final int stripe = (int) Thread.currentThread().threadId();

    /** Neighbours in the ring, null outside a ring. Only {@link OpenResources} uses them. */
    OpenResource previous;

    OpenResource next;

    /**
     * Creates a resource without a separate handle: it is the object that the client has, or its loss is detected by
     * other means.
     */
    public OpenResource() {
        super(null, null);
    }

    /**
     * Creates a resource that watches the object that the client has.
     *
     * @param handle the object that the client has
     * @param lost receives this when the handle becomes unreachable
     */
    OpenResource(Object handle, ReferenceQueue<Object> lost) {
        super(handle, lost);
    }

    /**
     * Ends the resource on the calling thread, a thread of its client. A second call does nothing. If this method
     * throws for lack of stack or memory, it can be called again.
     */
    public abstract void end();

    /**
     * Ends the resource, and submits calls of the heap's code to the heap's reaper. Does not wait. A second call does
     * nothing. If this method throws for lack of stack or memory, it can be called again.
     *
     * @return the reaper, or null when no work was submitted
     */
    public abstract Reaper reclaim();

    /**
     * Submits the end to a reaper, unless the end has begun.
     *
     * @param reaper the reaper of the heap
     * @param work the work that ends this resource
     * @return the reaper, or null when no work was submitted
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
