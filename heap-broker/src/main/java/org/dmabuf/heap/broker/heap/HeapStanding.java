// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import org.dmabuf.heap.HeapState;

/**
 * Standing of a heap that has not left: its state, and the reason if it does not serve.
 *
 * @param heap the heap
 * @param state its state
 * @param reason why it does not serve, empty when it serves
 */
public record HeapStanding(RegisteredHeap heap, HeapState state, String reason) {
    /** {@return whether a report of this would equal the report of another standing of the same service} */
    boolean sameAs(HeapStanding other) {
        return other != null
                && heap.name().equals(other.heap.name())
                && state == other.state
                && reason.equals(other.reason);
    }
}
