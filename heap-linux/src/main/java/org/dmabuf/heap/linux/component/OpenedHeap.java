// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.HashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.dmabuf.heap.linux.source.MemorySource;

/**
 * Memory that a heap has opened, and service properties beside {@link MemorySource#properties()}. Immutable.
 */
public final class OpenedHeap {
    private static final OpenedHeap NONE = new OpenedHeap(null, Map.of());

    /** Null for none. */
    private final MemorySource source;
    private final Map<String, Object> known;

    private OpenedHeap(MemorySource source, Map<String, Object> known) {
        this.source = source;
        this.known = known;
    }

    /**
     * Takes the memory of a source.
     *
     * @param source closed by {@link HeapStart} when the heap goes, or cannot be registered; and by each method here
     *     that throws
     * @return what {@link HeapStart} registers
     */
    public static OpenedHeap of(MemorySource source) {
        OpenedHeap opened = null;
        try {
            opened = new OpenedHeap(source, Map.of());
            return opened;
        } finally {
            if (opened == null) {
                source.close();
            }
        }
    }

    /** {@return no memory: this machine has none, by no fault of the configuration, and no service is registered} */
    public static OpenedHeap none() {
        return NONE;
    }

    /**
     * Adds a service property.
     *
     * @param property its name; it goes before one of the source
     * @param value as the service announces it
     * @return this memory with the property
     */
    public OpenedHeap with(String property, Object value) {
        OpenedHeap richer = null;
        try {
            Map<String, Object> more = new HashMap<>(known);
            more.put(property, value);
            richer = new OpenedHeap(source, more);
            return richer;
        } finally {
            if (richer == null && source != null) {
                source.close();
            }
        }
    }

    /**
     * Makes another source of this one, and closes it when that fails.
     *
     * @param step returns the source to go on with: the same, or one over it
     * @return this memory from that source
     */
    public OpenedHeap then(UnaryOperator<MemorySource> step) {
        OpenedHeap next = null;
        try {
            next = new OpenedHeap(step.apply(source), known); // made before the step: nothing fails after it
            return next;
        } finally {
            if (next == null && source != null) {
                source.close();
            }
        }
    }

    boolean isNone() {
        return source == null;
    }

    MemorySource source() {
        return source;
    }

    Map<String, Object> properties() {
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.putAll(known);
        return properties;
    }
}
