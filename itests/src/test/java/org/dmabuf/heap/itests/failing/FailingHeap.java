// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.failing;

import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** A vendor's heap without the registration helper, whose hardware is absent. */
public final class FailingHeap implements HeapExporter {
    /** Called by Declarative Services. */
    public FailingHeap() {
        throw new IllegalStateException("the card is not in its slot");
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        throw new AssertionError("it does not start");
    }
}
