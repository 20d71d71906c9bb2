// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import org.dmabuf.heap.broker.release.DeferredWork;

/**
 * Resource that ends once, however many threads try to end it. It is also a phantom reference to its handle, the
 * object through which a client uses it. So the garbage collector can report a lost handle. It can also be a link in a
 * reaper's queue. Neither role needs another object.
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
     * Whether it has ended. If an end that {@link #beginEnd} began fails, a plain write resets this field, because a
     * method call could fail for lack of stack.
     */
    volatile boolean ended;

    /** The next work in the queue of a reaper. */
    private DeferredWork behind;

    /**
     * Creates a resource that watches its handle.
     *
     * @param handle the object through which a client uses it; null to watch no object
     * @param lost receives this when the handle becomes unreachable; null when there is no handle
     */
    EndsOnce(Object handle, ReferenceQueue<Object> lost) {
        super(handle, lost);
    }

    /**
     * Begins the end. The write is the last step. {@code getAndSet} of a boolean would call another method after the
     * write, and that call could fail for lack of stack.
     *
     * @return whether the caller must end it
     */
    final boolean beginEnd() {
        return ENDED.compareAndSet(this, false, true);
    }

    /** Ends the resource, unless it has ended, because its handle became unreachable. */
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
