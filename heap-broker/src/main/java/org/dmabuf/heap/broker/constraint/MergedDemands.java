// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.constraint;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.ConstraintValue;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.HeapFacts;

/** Demands merged to one value of each kind, with the shape of the buffer that follows from them. */
public final class MergedDemands {
    /** The largest size of a request, a multiple of the largest page of the supported processors. */
    private static final long LARGEST_SIZE = Long.MAX_VALUE - 65_535;

    private static final ConstraintValue NO_CPU = ConstraintValue.parse(ConstraintKind.CPU, "none");

    /** The values by the names of their kinds, those of unknown kinds by the declaration. */
    private final Map<String, ConstraintValue> byKind;
    /** The values that a heap must meet: all but the number of buffers. */
    private final ConstraintValue[] values;

    private final long size;
    private final long buffers;

    private MergedDemands(Map<String, ConstraintValue> byKind, long size, long buffers) {
        this.byKind = byKind;
        values = byKind.values().stream()
                .filter(value -> !value.isAny() && !value.kind().equals(ConstraintKind.BUFFERS))
                .toArray(ConstraintValue[]::new);
        this.size = size;
        this.buffers = buffers;
    }

    /**
     * Merges demands.
     *
     * @param demands in any order
     * @param requested the requested bytes
     * @return the merged demands; empty if no heap could ever meet all of them
     */
    public static Optional<MergedDemands> of(List<Demand> demands, long requested) {
        Map<String, ConstraintValue> byKind = new HashMap<>();
        for (Demand demand : demands) {
            ConstraintValue value = demand.value();
            String key = key(demand.kind());
            ConstraintValue before = byKind.putIfAbsent(key, value);
            if (before == null) {
                continue;
            }
            if (!before.kind().equals(demand.kind())) {
                return Optional.empty(); // two bundles mean different things by one name
            }
            Optional<ConstraintValue> both = before.merge(value);
            if (both.isEmpty()) {
                return Optional.empty();
            }
            byKind.put(key, both.get());
        }
        long shaped = shape(byKind, requested);
        return shaped < 0 || isContradictory(byKind, shaped)
                ? Optional.empty()
                : Optional.of(new MergedDemands(byKind, shaped, buffers(demands)));
    }

    /** A heap that comes later can declare an unknown kind, so that it contradicts no known one of its name. */
    private static String key(ConstraintKind kind) {
        return kind.isUnknown() ? kind.toString() : kind.name();
    }

    /** {@return the size raised and rounded up as demanded, or a negative number if it is too large} */
    private static long shape(Map<String, ConstraintValue> byKind, long requested) {
        long least = Math.max(requested, number(byKind, ConstraintKind.SIZE_MIN, 0));
        long granule = number(byKind, ConstraintKind.GRANULE, 1);
        long granules = Math.ceilDiv(least, granule);
        return granules > LARGEST_SIZE / granule ? -1 : granules * granule;
    }

    /** Returns whether the values of several kinds exclude each other on every heap. */
    private static boolean isContradictory(Map<String, ConstraintValue> byKind, long size) {
        boolean isProtected = demands(byKind, ConstraintKind.PROTECTED);
        ConstraintValue cpu = byKind.get(ConstraintKind.CPU.name());
        boolean mapped = demands(byKind, ConstraintKind.MAPPABLE)
                || cpu != null && cpu.merge(NO_CPU).isEmpty();
        boolean readOnly = demands(byKind, ConstraintKind.READONLY);
        // A heap's alignment is a power of two, and so is the alignment of a request.
        boolean unaligned = Long.bitCount(number(byKind, ConstraintKind.ALIGNMENT, 1)) != 1;
        return unaligned
                || size > number(byKind, ConstraintKind.SIZE_MAX, Long.MAX_VALUE)
                || isProtected && (mapped || readOnly);
    }

    private static boolean demands(Map<String, ConstraintValue> byKind, ConstraintKind kind) {
        ConstraintValue value = byKind.get(kind.name());
        return value != null && !value.isAny();
    }

    private static long number(Map<String, ConstraintValue> byKind, ConstraintKind kind, long absent) {
        ConstraintValue value = byKind.get(kind.name());
        return value == null ? absent : value.number().orElse(absent);
    }

    /** Adds the buffers of all devices. Two sources that know one device do not double its number. */
    private static long buffers(List<Demand> demands) {
        Map<String, Long> byDevice = new HashMap<>();
        for (Demand demand : demands) {
            if (demand.kind().equals(ConstraintKind.BUFFERS)) {
                byDevice.merge(demand.who(), demand.value().number().orElse(0), Math::max);
            }
        }
        long sum = 0;
        for (long number : byDevice.values()) {
            sum = number > Long.MAX_VALUE - sum ? Long.MAX_VALUE : sum + number;
        }
        return sum;
    }

    /** {@return whether every buffer of a heap meets all demands} */
    public boolean metBy(HeapFacts facts) {
        if (facts.sizeOf(size) > facts.largestSize()) {
            return false;
        }
        for (ConstraintValue value : values) {
            if (!value.isMetBy(facts, size)) {
                return false;
            }
        }
        return true;
    }

    /** {@return the values that a heap does not meet} */
    public List<ConstraintValue> unmetBy(HeapFacts facts) {
        List<ConstraintValue> unmet = new ArrayList<>();
        for (ConstraintValue value : values) {
            if (!value.isMetBy(facts, size)) {
                unmet.add(value);
            }
        }
        return unmet;
    }

    /** {@return the size to request, in bytes} */
    public long size() {
        return size;
    }

    /** {@return the alignment to request, a power of two} */
    public long alignment() {
        return number(byKind, ConstraintKind.ALIGNMENT, 1);
    }

    /** {@return whether the descriptor must permit no writes} */
    public boolean readOnly() {
        return demands(byKind, ConstraintKind.READONLY);
    }

    /** {@return the number of buffers that all devices hold together} */
    public long buffers() {
        return buffers;
    }
}
