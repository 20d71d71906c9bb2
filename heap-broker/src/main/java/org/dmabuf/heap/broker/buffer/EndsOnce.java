// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import org.dmabuf.heap.broker.release.DeferredWork;

/**
 * Something open that ends once, however many try to end it. It is a reference to the object by which it is open, so
 * that the collector can report that object as lost, and it can be a link of a reaper's queue: neither costs another
 * object.
 */
public abstract class EndsOnce extends PhantomReference<Object> {
    private static final VarHandle ENDED;

    static {
        try {
            ENDED = MethodHandles.lookup().findVarHandle(EndsOnce.class, "ended", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /**
     * Whether it is ended. When {@link #beginEnd} came to nothing this is set back, by a plain write: a call could fail
     * for want of stack like all the rest.
     */
    volatile boolean ended;

    /** In the queue of a reaper. */
    private DeferredWork behind;

    /**
     * Watches over the object by which it is open.
     *
     * @param handle that object, null to watch over none
     * @param lost is given this when the handle became unreachable; null when there is no handle
     */
    EndsOnce(Object handle, ReferenceQueue<Object> lost) {
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

    /** Ends what is still open of it: its handle became unreachable. */
    public abstract void lost();

    /** The link of a subclass that is {@link DeferredWork}. */
    public final DeferredWork next() {
        return behind;
    }

    /** As {@link DeferredWork#next(DeferredWork)}. */
    public final void next(DeferredWork work) {
        behind = work;
    }
}
