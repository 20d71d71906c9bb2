// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.dmabuf.heap.linux.source.MemorySource;

/**
 * Memory that a heap has opened, with service properties in addition to {@link MemorySource#properties()}. Immutable.
 */
public final class OpenedHeap {
    private static final OpenedHeap NONE = new OpenedHeap(null, Map.of(), Optional::empty);

    /** Null without memory. */
    private final MemorySource source;

    private final Map<String, Object> known;
    /** Returns the name of a better back end that works now. */
    private final Supplier<Optional<String>> better;

    private OpenedHeap(MemorySource source, Map<String, Object> known, Supplier<Optional<String>> better) {
        this.source = source;
        this.known = known;
        this.better = better;
    }

    /**
     * Wraps the memory of a source.
     *
     * @param source the source; {@link HeapStart} closes it when the heap leaves or cannot be registered, and each
     *     method here closes it before it throws
     * @return the memory for {@link HeapStart} to register
     */
    public static OpenedHeap of(MemorySource source) {
        OpenedHeap opened = null;
        try {
            opened = new OpenedHeap(source, Map.of(), Optional::empty);
            return opened;
        } finally {
            if (opened == null) {
                source.close();
            }
        }
    }

    /**
     * {@return an opened heap without memory, for a machine that lacks it although the configuration is valid; no
     * service is registered}
     */
    public static OpenedHeap none() {
        return NONE;
    }

    /**
     * Adds a service property.
     *
     * @param property its name; it overrides a property of the source
     * @param value value of the property
     * @return this memory with the property
     */
    public OpenedHeap with(String property, Object value) {
        OpenedHeap richer = null;
        try {
            Map<String, Object> more = new HashMap<>(known);
            more.put(property, value);
            richer = new OpenedHeap(source, more, better);
            return richer;
        } finally {
            if (richer == null) {
                close();
            }
        }
    }

    /**
     * Replaces the source by one derived from it. Closes the source if that fails.
     *
     * @param step returns the source to use: the same one, or one that wraps it
     * @return this memory with that source
     */
    public OpenedHeap then(UnaryOperator<MemorySource> step) {
        OpenedHeap next = null;
        try {
            // made before the step, after which nothing may fail
            next = new OpenedHeap(step.apply(source), known, better);
            return next;
        } finally {
            if (next == null) {
                close();
            }
        }
    }

    /** {@return this memory with a search for a better back end, which any thread may run while the heap serves} */
    OpenedHeap withBetter(Supplier<Optional<String>> search) {
        OpenedHeap next = null;
        try {
            next = new OpenedHeap(source, known, search);
            return next;
        } finally {
            if (next == null) {
                close();
            }
        }
    }

    /** {@return the name of a better back end that works now} */
    Optional<String> better() {
        return better.get();
    }

    void close() {
        if (source != null) {
            source.close();
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
