// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

/** Deferred work with a field for the link in the queue. */
public abstract class LinkedDeferredWork implements DeferredWork {
    private DeferredWork behind;

    @Override
    public final DeferredWork next() {
        return behind;
    }

    @Override
    public final void next(DeferredWork work) {
        behind = work;
    }
}
