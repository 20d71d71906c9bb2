// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/**
 * Something that a client has open, and that is taken back when its bundle has stopped. It is a link of a ring of its
 * client's {@link Holdings}, so keeping it costs no other object.
 */
abstract class Holding {
    /**
     * Which ring it belongs to, for life. Final, so that whoever closes it sees it even when it was handed over between
     * threads without care.
     */
    final int stripe = (int) Thread.currentThread().threadId();

    /** Neighbours in the ring, null outside of one; touched by {@link Holdings} alone. */
    Holding previous;

    Holding next;

    /** Ends it. Never throws; doing it twice does nothing. */
    abstract void reclaim();
}
