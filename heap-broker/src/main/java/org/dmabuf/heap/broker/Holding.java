// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;

/**
 * Something that a client has open, and that is taken back when its bundle has stopped. It is a link of a ring of its
 * client's {@link Holdings}, so keeping it costs no other object; it can also watch over the object by which the client
 * has it open, for the same reason.
 */
abstract class Holding extends PhantomReference<Object> {
    /**
     * Which ring it belongs to, for life. Final, so that whoever closes it sees it even when it was handed over between
     * threads without care.
     */
    final int stripe = (int) Thread.currentThread().threadId();

    /** Neighbours in the ring, null outside of one; touched by {@link Holdings} alone. */
    Holding previous;

    Holding next;

    /** Is the object that the client has, or is found by other means. */
    Holding() {
        super(null, null);
    }

    /**
     * Watches over the object that the client has.
     *
     * @param handle what the client has
     * @param lost is given this when the handle became unreachable
     */
    Holding(Object handle, ReferenceQueue<Object> lost) {
        super(handle, lost);
    }

    /** Ends it. Never throws; doing it twice does nothing. */
    abstract void reclaim();
}
