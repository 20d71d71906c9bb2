// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.spi.HeapExporter;

/**
 * A heap as the broker holds it. A change of its properties makes another object, around the same gate.
 *
 * @param turn tells an older announcement from a newer one
 * @param service tells the service apart: its {@code service.id}
 * @param exporter the heap's code, entered through the gate only
 * @param gate the way in
 * @param description what it announced
 * @param refusal why it cannot serve, empty when it can
 * @param account what it has out
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

    /** By identity: an exporter's own equals and hashCode are not asked. */
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
