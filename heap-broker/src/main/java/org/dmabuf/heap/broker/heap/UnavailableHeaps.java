// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.UnavailableHeap;

/**
 * Heaps that cannot be announced, as the properties of their {@link UnavailableHeap} services describe them. This
 * class calls no code of a heap.
 */
public final class UnavailableHeaps {
    /**
     * One heap that does not serve.
     *
     * @param name the announced name, empty when none was announced
     * @param reason why it does not serve, with the source of its configuration
     * @param retried whether its bundle retries the start by itself
     * @param bundle symbolic name of its bundle
     */
    public record Unavailable(String name, String reason, boolean retried, String bundle) {}

    private final Map<Long, Unavailable> all = new ConcurrentHashMap<>();

    /** Adds a heap, or replaces its previous announcement. */
    public void put(long service, Map<String, ?> properties, String bundle) {
        all.put(
                service,
                new Unavailable(
                        text(properties.get(HeapProperties.NAME)),
                        reason(properties),
                        Boolean.TRUE.equals(properties.get(UnavailableHeap.RETRIED)),
                        bundle));
    }

    private static String reason(Map<String, ?> properties) {
        List<String> source = new ArrayList<>();
        String pid = text(properties.get(UnavailableHeap.PID));
        if (!pid.isEmpty()) {
            source.add("configuration " + pid);
        }
        String file = text(properties.get(UnavailableHeap.FILE));
        if (!file.isEmpty()) {
            source.add("file " + file);
        }
        String reason = text(properties.get(UnavailableHeap.REASON));
        return source.isEmpty() ? reason : reason + " (" + String.join(", ", source) + ")";
    }

    /**
     * Returns a String value in printable form. Other values are ignored, because their toString would be a bundle's
     * code.
     */
    private static String text(Object value) {
        return value instanceof String string ? Printable.of(string) : "";
    }

    public void remove(long service) {
        all.remove(service);
    }

    /** {@return the heaps that cannot be announced now, in no order} */
    public List<Unavailable> list() {
        return List.copyOf(all.values());
    }
}
