// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.RegionMap;

/**
 * Regions, read by one thread at a time for any number of pages. A vendor's code that hangs in a region keeps one
 * thread of the server, and the other requests get the previous reading with a sentence about it.
 */
final class Regions {
    /** How long a reading may take before it is reported. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(2);

    private static final Map<String, Object> HANGING =
            Map.of("heap", "all", "problem", "a region has not returned; its heap hangs, and all figures are old");

    private final LongSupplier clock;
    /** Time at which the present reading began; null if no thread reads. */
    private final AtomicReference<Long> began = new AtomicReference<>();

    private volatile List<Map<String, Object>> last = List.of();

    Regions() {
        this(System::nanoTime);
    }

    /** @param clock in nanoseconds, as {@link System#nanoTime} */
    Regions(LongSupplier clock) {
        this.clock = clock;
    }

    /** {@return the regions; the previous reading while another thread reads} */
    List<Map<String, Object>> of(List<Map.Entry<Map<String, Object>, RegionMap>> regions) {
        if (began.compareAndSet(null, clock.getAsLong())) {
            try {
                last = regions.stream().map(Regions::read).toList();
            } finally {
                began.set(null);
            }
            return last;
        }
        Long since = began.get();
        boolean hangs = since != null && clock.getAsLong() - since > PATIENCE_NANOS;
        return hangs ? Stream.concat(Stream.of(HANGING), last.stream()).toList() : last;
    }

    private static Map<String, Object> read(Map.Entry<Map<String, Object>, RegionMap> region) {
        String heap = String.valueOf(region.getKey().get(HeapProperties.NAME));
        try {
            return Snapshot.of(heap, region.getValue());
        } catch (RuntimeException | LinkageError | AssertionError | StackOverflowError e) {
            // A fault of a vendor's heap, or its end meanwhile. It concerns only this region.
            return Map.of("heap", heap, "problem", "reading the region failed: " + e);
        }
    }
}
