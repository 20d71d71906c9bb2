// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import static java.util.Map.entry;

import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.ConstraintKind;

/**
 * Heap of an {@link InMemoryBroker}: a name, a capacity, and service properties. Immutable: each {@code with} method
 * returns another heap.
 */
public final class InMemoryHeap {
    private static final int HIGHEST_ID = 63;
    private static final long USUAL_ALIGNMENT = 4096;

    /** Defaults of the properties that a heap does not announce, from {@link HeapProperties}. */
    private static final Map<String, Object> ABSENT = Map.of(
            HeapProperties.PRIORITY, 0,
            HeapProperties.DMABUF, false,
            HeapProperties.CONTIGUOUS, false,
            HeapProperties.CONTIGUOUS_MAX, 4096L,
            HeapProperties.CACHED, true,
            HeapProperties.PROTECTED, false,
            HeapProperties.MAPPABLE, true,
            HeapProperties.EXPORT_READONLY, false,
            HeapProperties.RESTRICTED, false,
            HeapProperties.ALIGNMENT, USUAL_ALIGNMENT);

    /** Types of the properties. The real broker refuses a heap that announces a value of another type. */
    private static final Map<String, Class<?>> TYPES = Map.ofEntries(
            entry(HeapProperties.ID, Integer.class),
            entry(HeapProperties.TYPE, String.class),
            entry(HeapProperties.PRIORITY, Integer.class),
            entry(HeapProperties.DMABUF, Boolean.class),
            entry(HeapProperties.CONTIGUOUS, Boolean.class),
            entry(HeapProperties.CONTIGUOUS_MAX, Long.class),
            entry(HeapProperties.CACHED, Boolean.class),
            entry(HeapProperties.PROTECTED, Boolean.class),
            entry(HeapProperties.MAPPABLE, Boolean.class),
            entry(HeapProperties.EXPORT_READONLY, Boolean.class),
            entry(HeapProperties.RESTRICTED, Boolean.class),
            entry(HeapProperties.QUOTA, Long.class),
            entry(HeapProperties.ALIGNMENT, Long.class),
            entry(HeapProperties.DMA_BITS, Integer.class),
            entry(HeapProperties.ADDRESS_MIN, Long.class),
            entry(HeapProperties.ADDRESS_MAX, Long.class),
            entry(HeapProperties.SIZE_MAX, Long.class),
            entry(HeapProperties.SIZE_GRANULE, Long.class),
            entry(HeapProperties.SG_ENTRY, Long.class),
            entry(HeapProperties.BACKEND, String.class));

    /** Heap under which adopted memory is counted. */
    static final InMemoryHeap ADOPTED =
            new InMemoryHeap(Long.MAX_VALUE, Map.of(HeapProperties.NAME, "adopted", HeapProperties.BACKEND, "memory"));

    private final long capacity;
    private final Map<String, Object> properties;

    private InMemoryHeap(long capacity, Map<String, Object> properties) {
        this.capacity = capacity;
        this.properties = properties;
    }

    /**
     * Makes a heap that announces its name and {@code heap.export.readonly=true}, like the heap with memfds of the
     * gateway.
     *
     * @param name {@code heap.name}: one to 64 characters without blanks and slashes, not {@code adopted}
     * @param capacity bytes that may be charged at a time, at least 0
     * @return a heap
     * @throws IllegalArgumentException for another name or capacity
     */
    public static InMemoryHeap of(String name, long capacity) {
        if (!name.matches("[^\\s/]{1,64}") || name.contains("..") || name.equals("adopted")) {
            throw new IllegalArgumentException("invalid name = '" + name
                    + "': expected 1 to 64 characters without blanks, '/' and '..', and not 'adopted'");
        }
        if (capacity < 0) {
            throw new IllegalArgumentException("invalid capacity = " + capacity + ": expected 0 or more bytes");
        }
        return new InMemoryHeap(capacity, Map.of(HeapProperties.NAME, name, HeapProperties.EXPORT_READONLY, true));
    }

    /**
     * Adds a service property, or replaces its value.
     *
     * @param property a name such as {@link HeapProperties#CONTIGUOUS}, except {@link HeapProperties#NAME}
     * @param value of the type that {@link HeapProperties} states
     * @return a heap
     * @throws IllegalArgumentException for a value that the real broker would refuse
     */
    public InMemoryHeap with(String property, Object value) {
        Objects.requireNonNull(value, () -> "invalid " + property + " = null: expected a value");
        Class<?> type = TYPES.getOrDefault(property, Object.class);
        if (property.equals(HeapProperties.NAME) || !type.isInstance(value) || !isPossible(property, value)) {
            throw new IllegalArgumentException("invalid " + property + " = " + value + " ("
                    + value.getClass().getSimpleName() + "): expected the type in the table of HeapProperties");
        }
        Map<String, Object> more = new LinkedHashMap<>(properties);
        more.put(property, value);
        return new InMemoryHeap(capacity, Collections.unmodifiableMap(more));
    }

    private static boolean isPossible(String property, Object value) {
        return switch (property) {
            case HeapProperties.ID -> (int) value >= 0 && (int) value <= HIGHEST_ID;
            case HeapProperties.ALIGNMENT -> (long) value > 0 && Long.bitCount((long) value) == 1;
            case HeapProperties.QUOTA -> (long) value >= 0;
            case HeapProperties.EMULATES -> listed(value).stream().allMatch(String.class::isInstance);
            case HeapProperties.CONSTRAINT_KINDS -> listed(value).stream().allMatch(InMemoryHeap::isDeclaration);
            default -> true;
        };
    }

    /** Checks the declaration of a kind of demand. The parser throws for another String. */
    private static boolean isDeclaration(Object kind) {
        return kind instanceof String text && !ConstraintKind.parse(text).isUnknown();
    }

    private static Collection<?> listed(Object value) {
        return switch (value) {
            case Collection<?> several -> several;
            case Object[] several -> Arrays.asList(several);
            default -> Set.of(value);
        };
    }

    /** {@return {@code heap.name}} */
    public String name() {
        return (String) properties.get(HeapProperties.NAME);
    }

    /** {@return bytes that may be charged at a time} */
    public long capacity() {
        return capacity;
    }

    /** {@return its service properties} */
    public Map<String, Object> properties() {
        return properties;
    }

    /** {@return the capacity, or the quota where that is less} */
    long limit() {
        return Math.min(capacity, (long) properties.getOrDefault(HeapProperties.QUOTA, Long.MAX_VALUE));
    }

    OptionalInt id() {
        return properties.get(HeapProperties.ID) instanceof Integer id ? OptionalInt.of(id) : OptionalInt.empty();
    }

    int priority() {
        return (int) announced(HeapProperties.PRIORITY);
    }

    long alignment() {
        return (long) announced(HeapProperties.ALIGNMENT);
    }

    boolean is(String flag) {
        return (boolean) announced(flag);
    }

    private Object announced(String property) {
        return properties.getOrDefault(property, ABSENT.get(property));
    }

    Set<String> emulates() {
        Set<String> emulates = new TreeSet<>();
        listed(properties.getOrDefault(HeapProperties.EMULATES, Set.of())).forEach(one -> emulates.add((String) one));
        return emulates;
    }

    /** {@return the kinds of demand that it declares} */
    List<ConstraintKind> kinds() {
        return listed(properties.getOrDefault(HeapProperties.CONSTRAINT_KINDS, List.of())).stream()
                .map(kind -> ConstraintKind.parse((String) kind))
                .toList();
    }

    /** {@return why a request that only names this heap is refused} */
    Optional<String> plainRefusal() {
        return emulates().isEmpty()
                ? Optional.empty()
                : Optional.of("it serves only requests that permit emulation: withEmulations(\""
                        + String.join("\", \"", emulates()) + "\")");
    }

    /**
     * {@return the properties that a requirement is matched with; an accepted emulation counts as the real property}
     */
    Map<String, Object> required() {
        Map<String, Object> all = new HashMap<>(ABSENT);
        all.putAll(properties);
        emulates().forEach(what -> all.put("heap." + what, true));
        return all;
    }

    @Override
    public String toString() {
        return "heap '" + name() + "' of " + capacity + " bytes";
    }
}
