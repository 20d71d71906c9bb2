// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** A heap with its announcement, as the cases use it. */
final class HeapUnderTest {
    /** How long what earlier cases left may take to be free again. */
    private static final Duration ROOM = Duration.ofSeconds(10);

    /** At the usage, which others of the machine may change meanwhile. */
    private static final int LOOKS = 3;

    private final HeapExporter exporter;
    private final Map<String, ?> properties;
    private final Duration patience;
    private long step;

    /** @param patience how long what a case left behind may still go by itself */
    HeapUnderTest(HeapExporter exporter, Map<String, ?> properties, Duration patience) {
        this.exporter = exporter;
        this.patience = patience;
        this.properties = Map.copyOf(properties);
    }

    HeapExporter exporter() {
        return exporter;
    }

    Duration patience() {
        return patience;
    }

    Map<String, ?> properties() {
        return properties;
    }

    /** The announced name; a heap without one fails the case for that and no other. */
    String name() {
        return properties.get(HeapProperties.NAME) instanceof String name ? name : "";
    }

    boolean announces(String property, boolean byDefault) {
        return properties.get(property) instanceof Boolean value ? value : byDefault;
    }

    /** The largest alignment that a request may ask for. */
    long alignment() {
        return properties.get(HeapProperties.ALIGNMENT) instanceof Long bytes ? bytes : 4096;
    }

    // Why a case does not apply: empty when it does.

    Optional<String> unlessMappable() {
        return announces(HeapProperties.MAPPABLE, true)
                ? Optional.empty()
                : Optional.of("heap.mappable=false: the CPU cannot look");
    }

    Optional<String> ifMappable() {
        return announces(HeapProperties.MAPPABLE, true)
                ? Optional.of("heap.mappable=true: there is nothing to refuse")
                : Optional.empty();
    }

    Optional<String> unlessReadOnlyExports() {
        return announces(HeapProperties.EXPORT_READONLY, false)
                ? Optional.empty()
                : Optional.of("heap.export.readonly=false: there is no such descriptor");
    }

    Optional<String> ifReadOnlyExports() {
        return announces(HeapProperties.EXPORT_READONLY, false)
                ? Optional.of("heap.export.readonly=true: there is nothing to refuse")
                : Optional.empty();
    }

    /**
     * Looks at what the buffers take of the heap, which may be more than their bytes.
     *
     * @param count of buffers that the case holds at once
     * @param size bytes of the largest
     */
    Optional<String> unlessHolds(int count, long size) {
        OptionalLong capacity = exporter.usage().capacity();
        long needed = capacity.isPresent() ? needed(count, size) : 0;
        return needed <= capacity.orElse(Long.MAX_VALUE)
                ? Optional.empty()
                : Optional.of("needs " + Bytes.text(needed) + " at once; the heap holds "
                        + Bytes.text(capacity.getAsLong()));
    }

    private long needed(int count, long size) {
        if (step == 0) {
            step = step();
        }
        return count * ((size + step - 1) / step * step);
    }

    /**
     * {@return bytes that the smallest buffer takes, as those of other sizes are taken to be multiples of: a heap may
     * give whole chunks, which the buffer's size shows, or keep its books in larger units, which its usage shows}
     */
    private long step() {
        try {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < LOOKS; i++) {
                least = Math.min(least, takenBySmallest());
            }
            return Math.max(Bytes.PAGE, least);
        } catch (RuntimeException e) {
            return Bytes.PAGE; // the cases tell what is wrong with the heap
        }
    }

    private long takenBySmallest() {
        long before = exporter.usage().free().orElse(0);
        HeapBuffer smallest = exporter.allocate(HeapRequest.of(1));
        try {
            return Math.max(smallest.size(), before - exporter.usage().free().orElse(before));
        } finally {
            smallest.release();
        }
    }

    /**
     * Waits until the buffers find place side by side, on a heap that tells. What was released before may still be
     * under way back, and buffers that are placed around it can keep the last one from fitting where all would fit.
     * When that takes too long, the case finds out.
     */
    void awaitRoom(int count, long size) {
        if (exporter.usage().capacity().isEmpty()) {
            return;
        }
        long needed = needed(count, size);
        long end = System.nanoTime() + ROOM.toNanos();
        while (exporter.usage().largestFree().orElse(needed) < needed && System.nanoTime() < end) {
            try {
                Thread.sleep(5); // nothing tells
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    // Cases

    ContractCase expect(String name, ContractCase.Body body) {
        return expect(name, body, Optional.empty());
    }

    /** @param skipReason one of the above, or several with {@link Optional#or} */
    ContractCase expect(String name, ContractCase.Body body, Optional<String> skipReason) {
        return new ContractCase(this, name, skipReason, body);
    }

    // What cases do with the heap

    /** The kinds of buffer that a heap makes in different ways, if it does: every one that it announces. */
    List<HeapRequest> kinds(long size) {
        List<HeapRequest> kinds = new ArrayList<>();
        kinds.add(HeapRequest.of(size));
        kinds.add(HeapRequest.of(size).withExport(ExportMode.NONE));
        if (unlessReadOnlyExports().isEmpty()) {
            kinds.add(HeapRequest.of(size).withExport(ExportMode.READ_ONLY));
        }
        return kinds;
    }

    /** The kinds of buffer that have a descriptor. */
    List<HeapRequest> exportableKinds(long size) {
        return kinds(size).stream().filter(kind -> kind.export() != ExportMode.NONE).toList();
    }

    HeldBuffer allocate(HeapRequest request) {
        HeapBuffer buffer = exporter.allocate(request);
        if (buffer == null) {
            throw new AssertionError(request + " was answered with null");
        }
        return new HeldBuffer(buffer, request);
    }

    HeapException refusal(HeapRequest request) {
        try {
            exporter.allocate(request).release();
        } catch (HeapException e) {
            return e;
        }
        throw new AssertionError(request + " was granted");
    }

    void assertRefused(HeapRequest request, Errno... expected) {
        HeapException refusal = refusal(request);
        if (!List.of(expected).contains(refusal.errno())) {
            throw new AssertionError(
                    request + " was refused with " + refusal.errno() + " and not with one of "
                            + Arrays.toString(expected),
                    refusal);
        }
    }

    void trim() {
        exporter.trim(Long.MAX_VALUE);
    }
}
