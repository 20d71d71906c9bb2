// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import org.dmabuf.heap.broker.release.DeferredWork;

/**
 * A resource that ends once, however many threads try to end it. It is a phantom reference to its handle, the object
 * through which it is used, so the collector can report that object as lost. It can be a link of a reaper's queue.
 * Neither costs another object.
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
     * Whether it has ended. When an end that {@link #beginEnd} began has failed, a plain write sets this back: a call
     * could fail for want of stack as well.
     */
    volatile boolean ended;

    /** The work behind it in the queue of a reaper. */
    private DeferredWork behind;

    /**
     * Watches over its handle.
     *
     * @param handle the object through which it is used, null to watch over none
     * @param lost receives this when the handle becomes unreachable; null when there is no handle
     */
    EndsOnce(Object handle, ReferenceQueue<Object> lost) {
        super(handle, lost);
    }

    /**
     * Begins the end. The write is the last step: getAndSet of a boolean would make another call after it, which could
     * fail for want of stack.
     *
     * @return whether the caller is the one that ends it
     */
    final boolean beginEnd() {
        return ENDED.compareAndSet(this, false, true);
    }

    /** Ends the resource unless it has ended: its handle became unreachable. */
    public abstract void lost();

    /** Implements {@link DeferredWork#next()} for subclasses. */
    public final DeferredWork next() {
        return behind;
    }

    /** Implements {@link DeferredWork#next(DeferredWork)} for subclasses. */
    public final void next(DeferredWork work) {
        behind = work;
    }
}
