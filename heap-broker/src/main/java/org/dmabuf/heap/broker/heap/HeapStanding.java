// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import org.dmabuf.heap.HeapState;

/**
 * A heap that has not left, with its state.
 *
 * @param heap the heap
 * @param state its state
 * @param reason why it does not serve, empty when it does
 */
public record HeapStanding(RegisteredHeap heap, HeapState state, String reason) {
    /** {@return whether there is nothing to tell that another, of the same service, has not told} */
    boolean sameAs(HeapStanding other) {
        return other != null
                && heap.name().equals(other.heap.name())
                && state == other.state
                && reason.equals(other.reason);
    }
}
