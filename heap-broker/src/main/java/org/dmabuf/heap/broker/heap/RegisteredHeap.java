// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.spi.HeapExporter;

/**
 * Heap in the {@link HeapRegistry}. A change of its properties creates a new object with the same gate.
 *
 * @param turn the number of the announcement; newer announcements have higher numbers
 * @param service its {@code service.id}
 * @param exporter the heap's code, called only through the gate
 * @param gate the gate that calls of its code pass
 * @param description its checked properties
 * @param refusal why it is refused, empty when it is valid
 * @param account the account that its buffers are charged to
 */
public record RegisteredHeap(
        long turn,
        long service,
        HeapExporter exporter,
        CallGate gate,
        HeapDescription description,
        String refusal,
        HeapAccount account) {

    public String name() {
        return description.name();
    }

    boolean refused() {
        return !refusal.isEmpty();
    }

    /** Compares identities, so an exporter's own equals and hashCode are not called. */
    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }

    @Override
    public String toString() {
        return "heap '" + name() + "'";
    }
}
