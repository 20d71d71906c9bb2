// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;

/**
 * Something that a client has open, and that is taken back when its bundle has stopped. It is a link of a ring of its
 * client's {@link Holdings}, so keeping it costs no other object; it can also watch over the object by which the client
 * has it open, for the same reason.
 */
abstract class Holding extends PhantomReference<Object> {
    private static final VarHandle ENDED;

    static {
        try {
            ENDED = MethodHandles.lookup().findVarHandle(Holding.class, "ended", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /**
     * Which ring it belongs to, for life. Final, so that whoever closes it sees it even when it was handed over between
     * threads without care.
     */
    final int stripe = (int) Thread.currentThread().threadId();

    /** Neighbours in the ring, null outside of one; touched by {@link Holdings} alone. */
    Holding previous;

    Holding next;

    /**
     * Whether it is ended. When {@link #beginEnd} came to nothing this is set back, by a plain write: a call could fail
     * for want of stack like all the rest.
     */
    volatile boolean ended;

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

    /**
     * Begins the end. It is set last of all: getAndSet of a boolean would make another call after that, which could
     * fail for want of stack.
     *
     * @return whether the caller is the one that ends it
     */
    final boolean beginEnd() {
        return ENDED.compareAndSet(this, false, true);
    }

    /**
     * Ends it on the calling thread, which is its client's. Ending it twice does nothing. When it throws for want of
     * stack or memory, it can be ended again.
     */
    abstract void end();

    /**
     * Ends it, and has the heap's reaper do what calls the heap's code. Waits for nothing. Reclaiming it twice does
     * nothing; when it throws for want of stack or memory, it can be reclaimed again.
     *
     * @return the reaper, or null when nothing was handed over
     */
    abstract Reaper reclaim();
}
