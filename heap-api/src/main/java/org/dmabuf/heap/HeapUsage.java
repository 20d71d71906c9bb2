// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * Figures of a heap about its own memory, in bytes. A heap sets the figures that it knows. Immutable: each {@code with}
 * method returns a new object, or throws {@link IllegalArgumentException} for a figure out of range.
 */
public final class HeapUsage {
    private static final long UNKNOWN = -1;
    private static final HeapUsage NOTHING_KNOWN =
            new HeapUsage(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, OptionalDouble.empty(), List.of());

    private final long capacity;
    private final long free;
    private final long largestFree;
    private final long quarantined;
    private final long inLargeFolios;
    private final OptionalDouble fragmentation;
    private final List<PoolUsage> pools;

    private HeapUsage(
            long capacity,
            long free,
            long largestFree,
            long quarantined,
            long inLargeFolios,
            OptionalDouble fragmentation,
            List<PoolUsage> pools) {
        this.capacity = capacity;
        this.free = free;
        this.largestFree = largestFree;
        this.quarantined = quarantined;
        this.inLargeFolios = inLargeFolios;
        this.fragmentation = fragmentation;
        this.pools = pools;
    }

    /** {@return a usage without any figure} */
    public static HeapUsage unknown() {
        return NOTHING_KNOWN;
    }

    /**
     * Sets the total capacity of the heap.
     *
     * @param bytes at least 0
     * @return a usage
     */
    public HeapUsage withCapacity(long bytes) {
        return new HeapUsage(known(bytes), free, largestFree, quarantined, inLargeFolios, fragmentation, pools);
    }

    /**
     * Sets how much can be allocated now, in any number of buffers.
     *
     * @param bytes at least 0
     * @return a usage
     */
    public HeapUsage withFree(long bytes) {
        return new HeapUsage(capacity, known(bytes), largestFree, quarantined, inLargeFolios, fragmentation, pools);
    }

    /**
     * Sets the size of the largest single buffer that can be allocated now.
     *
     * @param bytes at least 0
     * @return a usage
     */
    public HeapUsage withLargestFree(long bytes) {
        return new HeapUsage(capacity, free, known(bytes), quarantined, inLargeFolios, fragmentation, pools);
    }

    /**
     * Sets how much released memory is quarantined, because a holder may still access it.
     *
     * @param bytes at least 0
     * @return a usage
     */
    public HeapUsage withQuarantined(long bytes) {
        return new HeapUsage(capacity, free, largestFree, known(bytes), inLargeFolios, fragmentation, pools);
    }

    /**
     * Sets how much of the heap's memory lies in large folios, which are faster to make, to map and to release.
     *
     * @param bytes at least 0, of buffers, of pools and of a region
     * @return a usage
     */
    public HeapUsage withInLargeFolios(long bytes) {
        return new HeapUsage(capacity, free, largestFree, quarantined, known(bytes), fragmentation, pools);
    }

    /**
     * Sets how fragmented the free memory is.
     *
     * @param share of the free bytes that the largest single buffer cannot use, 0 to 1
     * @return a usage
     */
    public HeapUsage withFragmentation(double share) {
        if (!(share >= 0 && share <= 1)) {
            throw new IllegalArgumentException("invalid fragmentation = " + share + ": expected 0 to 1");
        }
        return new HeapUsage(capacity, free, largestFree, quarantined, inLargeFolios, OptionalDouble.of(share), pools);
    }

    /**
     * Adds a pool. The memory that it keeps is part of {@link #free()}.
     *
     * @param pool its size and how often it was used
     * @return a usage
     */
    public HeapUsage withPool(PoolUsage pool) {
        List<PoolUsage> all = new ArrayList<>(pools);
        all.add(pool);
        return new HeapUsage(capacity, free, largestFree, quarantined, inLargeFolios, fragmentation, List.copyOf(all));
    }

    /** {@return the total capacity in bytes} */
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

    /** {@return bytes that were released but are quarantined, because a holder may still access them} */
    public OptionalLong quarantined() {
        return optional(quarantined);
    }

    /** {@return bytes of the heap's memory in large folios: physical runs that the kernel handles as a whole} */
    public OptionalLong inLargeFolios() {
        return optional(inLargeFolios);
    }

    /** {@return the share of the free bytes that the largest single buffer cannot use, 0 to 1} */
    public OptionalDouble fragmentation() {
        return fragmentation;
    }

    /** {@return the pools of the heap; empty for a heap without pools} */
    public List<PoolUsage> pools() {
        return pools;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("capacity " + text(capacity) + ", free " + text(free)
                + ", largest free " + text(largestFree) + ", quarantined " + text(quarantined)
                + ", in large folios " + text(inLargeFolios));
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
