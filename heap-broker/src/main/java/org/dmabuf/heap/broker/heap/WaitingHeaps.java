// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.WaitingHeap;

/**
 * The heaps that wait for something they need, as their service properties describe it. No code of a heap is called.
 */
public final class WaitingHeaps {
    /**
     * One heap that waits.
     *
     * @param name as announced, empty when it announced none
     * @param reason why it waits
     * @param bundle symbolic name of its bundle
     */
    public record Waiting(String name, String reason, String bundle) {}

    private final Map<Long, Waiting> all = new ConcurrentHashMap<>();

    /** Adds a heap, or replaces what it announced before. */
    public void put(long service, Map<String, ?> properties, String bundle) {
        all.put(
                service,
                new Waiting(
                        text(properties.get(HeapProperties.NAME)), text(properties.get(WaitingHeap.REASON)), bundle));
    }

    /** Returns a String as it is. Another value is not read: its toString would be a bundle's code. */
    private static String text(Object value) {
        return value instanceof String string ? string : "";
    }

    public void remove(long service) {
        all.remove(service);
    }

    /** {@return the heaps that wait now, in no order} */
    public List<Waiting> list() {
        return List.copyOf(all.values());
    }
}
