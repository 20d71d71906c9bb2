// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;

/**
 * Guarantees of a heap for each of its buffers, derived from its service properties. An emulated property is not a
 * guarantee, even for a request that accepts the emulation. A property of a wrong type counts as absent.
 */
public final class HeapFacts {
    /** The defaults that {@link HeapProperties} documents. */
    private static final Map<String, Object> ABSENT = Map.of(
            HeapProperties.CONTIGUOUS_MAX,
            4096L,
            HeapProperties.ALIGNMENT,
            4096L,
            HeapProperties.CACHED,
            true,
            HeapProperties.MAPPABLE,
            true);

    private static final int LONG_BITS = 63;

    private final Map<String, Object> properties;
    private final long run;
    private final long granule;
    private final long entry;
    private final long lowest;
    private final long highest;

    private HeapFacts(Map<String, Object> properties) {
        this.properties = properties;
        run = flag(HeapProperties.CONTIGUOUS)
                ? Long.MAX_VALUE
                : Math.max(1, number(HeapProperties.CONTIGUOUS_MAX).orElse(1));
        entry = Math.clamp(number(HeapProperties.SG_ENTRY).orElse(run), 1, run);
        granule = Math.max(1, number(HeapProperties.SIZE_GRANULE).orElse(1));
        lowest = number(HeapProperties.ADDRESS_MIN).orElse(0);
        int bits = Math.clamp(number(HeapProperties.DMA_BITS).orElse(LONG_BITS), 0, LONG_BITS);
        highest = Math.min(
                number(HeapProperties.ADDRESS_MAX).orElse(Long.MAX_VALUE),
                bits == LONG_BITS ? Long.MAX_VALUE : (1L << bits) - 1);
    }

    /**
     * Derives the facts of a heap.
     *
     * @param properties its service properties
     * @return its facts
     */
    public static HeapFacts of(Map<String, ?> properties) {
        Map<String, Object> facts = new HashMap<>(ABSENT);
        properties.forEach((name, value) -> facts.put(name, Objects.requireNonNull(value)));
        words(properties.get(HeapProperties.EMULATES)).forEach(emulated -> facts.remove("heap." + emulated));
        boolean closed = Boolean.TRUE.equals(facts.get(HeapProperties.PROTECTED))
                || !Boolean.TRUE.equals(facts.get(HeapProperties.MAPPABLE));
        String cached = Boolean.TRUE.equals(facts.get(HeapProperties.CACHED)) ? "cached" : "uncached";
        facts.put(ConstraintKind.CPU_ACCESS, closed ? "none" : cached);
        return new HeapFacts(facts);
    }

    /**
     * Returns a numeric property.
     *
     * @param name the name of a service property
     * @return its value, empty if it is absent, negative or not an integral number
     */
    public OptionalLong number(String name) {
        return properties.get(name) instanceof Number number && isIntegral(number) && number.longValue() >= 0
                ? OptionalLong.of(number.longValue())
                : OptionalLong.empty();
    }

    /**
     * Returns a property that a heap has or lacks.
     *
     * @param name the name of a service property
     * @return whether it is true
     */
    public boolean flag(String name) {
        return Boolean.TRUE.equals(properties.get(name));
    }

    /** {@return the largest buffer in bytes, {@link Long#MAX_VALUE} if the heap announces no limit} */
    public long largestSize() {
        return number(HeapProperties.SIZE_MAX).orElse(Long.MAX_VALUE);
    }

    /**
     * Returns the size of the buffer that the heap makes for a request. A demand on the size or on the scatter list
     * concerns this size. Only {@code granule} concerns the requested size, because a device uses no more of the
     * buffer.
     *
     * @param requested the requested bytes
     * @return bytes, {@link Long#MAX_VALUE} if they exceed a long
     */
    public long sizeOf(long requested) {
        long granules = Math.ceilDiv(requested, granule);
        return granules > Long.MAX_VALUE / granule ? Long.MAX_VALUE : granules * granule;
    }

    /** {@return bytes of the range of physical addresses, {@link Long#MAX_VALUE} if it is not known} */
    public long addressSpan() {
        return highest == Long.MAX_VALUE || highest < lowest ? Long.MAX_VALUE : highest - lowest + 1;
    }

    /** {@return whether all of a heap's range is within another one} */
    boolean isWithin(String fact, long low, long high) {
        if (fact.equals(ConstraintKind.ADDRESS.fact())) {
            return highest != Long.MAX_VALUE && lowest <= highest && low <= lowest && highest <= high;
        }
        OptionalLong from = number(fact + ".min");
        OptionalLong to = number(fact + ".max");
        return from.isPresent()
                && to.isPresent()
                && from.getAsLong() <= to.getAsLong()
                && low <= from.getAsLong()
                && to.getAsLong() <= high;
    }

    /** {@return all words of a property; empty if it is absent or has a value that is not a word} */
    Set<String> words(String name) {
        return words(properties.get(name));
    }

    private static Set<String> words(Object value) {
        Stream<?> all = switch (value) {
            case null -> Stream.of();
            case Collection<?> several -> several.stream();
            case Object[] several -> Arrays.stream(several);
            case Object array
            when array.getClass().isArray() ->
                IntStream.range(0, Array.getLength(array)).mapToObj(i -> Array.get(array, i));
            default -> Stream.of(value);
        };
        Set<Object> values = all.collect(Collectors.toSet());
        return values.stream().allMatch(HeapFacts::isWord)
                ? values.stream().map(Object::toString).collect(Collectors.toSet())
                : Set.of();
    }

    private static boolean isWord(Object value) {
        return value instanceof String || value instanceof Number number && isIntegral(number);
    }

    private static boolean isIntegral(Number number) {
        return number instanceof Long || number instanceof Integer || number instanceof Short || number instanceof Byte;
    }

    /** {@return bytes of a buffer up to which it is one physical run} */
    long run() {
        return run;
    }

    /** {@return bytes of each entry in a device's scatter list but the last} */
    long entry() {
        return entry;
    }

    @Override
    public String toString() {
        return properties.toString();
    }
}
