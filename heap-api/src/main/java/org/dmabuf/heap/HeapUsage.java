// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * Figures of a heap on its own memory, in bytes. A heap gives what it knows and leaves out the rest. Immutable: each
 * {@code with} method returns another.
 */
public final class HeapUsage {
    private static final long UNKNOWN = -1;
    private static final HeapUsage NOTHING_KNOWN =
            new HeapUsage(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, OptionalDouble.empty(), List.of());

    private final long capacity;
    private final long free;
    private final long largestFree;
    private final long quarantined;
    private final OptionalDouble fragmentation;
    private final List<PoolUsage> pools;

    private HeapUsage(
            long capacity,
            long free,
            long largestFree,
            long quarantined,
            OptionalDouble fragmentation,
            List<PoolUsage> pools) {
        this.capacity = capacity;
        this.free = free;
        this.largestFree = largestFree;
        this.quarantined = quarantined;
        this.fragmentation = fragmentation;
        this.pools = pools;
    }

    /** {@return a usage without any figure} */
    public static HeapUsage unknown() {
        return NOTHING_KNOWN;
    }

    /**
     * Adds how much the heap can hold in all.
     *
     * @param bytes at least 0
     * @return a usage
     */
    public HeapUsage withCapacity(long bytes) {
        return new HeapUsage(known(bytes), free, largestFree, quarantined, fragmentation, pools);
    }

    /**
     * Adds how much can be allocated now, in however many pieces.
     *
     * @param bytes at least 0
     * @return a usage
     */
    public HeapUsage withFree(long bytes) {
        return new HeapUsage(capacity, known(bytes), largestFree, quarantined, fragmentation, pools);
    }

    /**
     * Adds the largest single buffer that can be allocated now.
     *
     * @param bytes at least 0
     * @return a usage
     */
    public HeapUsage withLargestFree(long bytes) {
        return new HeapUsage(capacity, free, known(bytes), quarantined, fragmentation, pools);
    }

    /**
     * Adds how much was released and cannot be used again yet, because a holder may still see it.
     *
     * @param bytes at least 0
     * @return a usage
     */
    public HeapUsage withQuarantined(long bytes) {
        return new HeapUsage(capacity, free, largestFree, known(bytes), fragmentation, pools);
    }

    /**
     * Adds how scattered the free memory is.
     *
     * @param share of the free bytes that the largest single buffer would not get, 0 to 1
     * @return a usage
     */
    public HeapUsage withFragmentation(double share) {
        if (!(share >= 0 && share <= 1)) {
            throw new IllegalArgumentException("invalid fragmentation = " + share + ": expected 0 to 1");
        }
        return new HeapUsage(capacity, free, largestFree, quarantined, OptionalDouble.of(share), pools);
    }

    /**
     * Adds one more pool. What it keeps is part of {@link #free()}.
     *
     * @param pool how full it is and how often it served
     * @return a usage
     */
    public HeapUsage withPool(PoolUsage pool) {
        List<PoolUsage> all = new ArrayList<>(pools);
        all.add(pool);
        return new HeapUsage(capacity, free, largestFree, quarantined, fragmentation, List.copyOf(all));
    }

    /** {@return bytes that the heap can hold in all} */
    public OptionalLong capacity() {
        return optional(capacity);
    }

    /** {@return bytes that can be allocated now} */
    public OptionalLong free() {
        return optional(free);
    }

    /** {@return bytes of the largest single buffer that can be allocated now} */
    public OptionalLong largestFree() {
        return optional(largestFree);
    }

    /** {@return bytes that were released and wait for holders that may still see them} */
    public OptionalLong quarantined() {
        return optional(quarantined);
    }

    /** {@return the share of the free bytes that the largest single buffer would not get, 0 to 1} */
    public OptionalDouble fragmentation() {
        return fragmentation;
    }

    /** {@return what the heap keeps ready for speed; empty for a heap without pools} */
    public List<PoolUsage> pools() {
        return pools;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("capacity " + text(capacity) + ", free " + text(free)
                + ", largest free " + text(largestFree) + ", quarantined " + text(quarantined));
        fragmentation.ifPresent(share -> text.append(", fragmentation ").append(share));
        pools.forEach(pool -> text.append(", ").append(pool));
        return text.toString();
    }

    private static String text(long bytes) {
        return bytes == UNKNOWN ? "unknown" : bytes + " bytes";
    }

    private static long known(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("invalid usage = " + bytes + ": expected 0 or more bytes");
        }
        return bytes;
    }

    private static OptionalLong optional(long bytes) {
        return bytes == UNKNOWN ? OptionalLong.empty() : OptionalLong.of(bytes);
    }
}
