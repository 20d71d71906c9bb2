// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.dmabuf.heap.spi.HeapBuffer;

/** Buffer that a heap returned and the broker did not accept. It is released by deferred work. */
final class UnwantedBuffer extends LinkedDeferredWork {
    private final RegisteredHeap heap;
    private final HeapBuffer memory;

    private UnwantedBuffer(RegisteredHeap heap, HeapBuffer memory) {
        this.heap = heap;
        this.memory = memory;
    }

    /**
     * Submits the release to the heap's reaper. If Java memory is too short for that, the calling thread releases the
     * buffer.
     */
    static void giveBack(RegisteredHeap heap, HeapBuffer memory) {
        UnwantedBuffer unwanted;
        try {
            unwanted = new UnwantedBuffer(heap, memory);
        } catch (OutOfMemoryError e) {
            memory.release();
            return;
        }
        heap.account().reaper().submit(unwanted);
    }

    @Override
    public void perform() {
        memory.release();
    }

    @Override
    public long bytes() {
        return 0; // only the heap knows the size, and the heap's code must not be called here
    }

    @Override
    public String toString() {
        return heap + ": the release of a buffer that was not accepted";
    }
}
