// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.RegionMap;

/**
 * Regions, read by one thread at a time for any number of pages. A vendor's code that hangs in a region keeps one
 * thread of the server, and the other requests get the previous reading.
 */
final class Regions {
    private final AtomicBoolean reading = new AtomicBoolean();
    private volatile List<Map<String, Object>> last = List.of();

    /** {@return the regions; the previous reading while another thread reads} */
    List<Map<String, Object>> of(List<Map.Entry<Map<String, Object>, RegionMap>> regions) {
        if (reading.compareAndSet(false, true)) {
            try {
                last = regions.stream().map(Regions::read).toList();
            } finally {
                reading.set(false);
            }
        }
        return last;
    }

    private static Map<String, Object> read(Map.Entry<Map<String, Object>, RegionMap> region) {
        String heap = String.valueOf(region.getKey().get(HeapProperties.NAME));
        try {
            return Snapshot.of(heap, region.getValue());
        } catch (RuntimeException | LinkageError e) { // a fault of a vendor's heap, or its end meanwhile
            return Map.of("heap", heap, "problem", "reading the region failed: " + e);
        }
    }
}
