// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.spi.HeapExporter;

/**
 * A heap in the {@link HeapRegistry}. A change of its properties makes another object with the same gate.
 *
 * @param turn order of announcements: a newer one has a higher number
 * @param service its {@code service.id}
 * @param exporter the heap's code, entered through the gate only
 * @param gate the gate before its code
 * @param description its checked properties
 * @param refusal why it cannot serve, empty when it can
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

    /** Compares by identity: an exporter's own equals and hashCode are not called. */
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
