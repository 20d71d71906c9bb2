// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Budget of memory that the pools of a source may keep, 0 by default. Immutable: each method returns another budget.
 */
public final class PoolBudget {
    private static final PoolBudget NONE = new PoolBudget(Map.of(), 0, Duration.ofMinutes(1));

    private final Map<Long, Integer> prewarmed;
    private final long recycled;
    private final Duration idle;

    private PoolBudget(Map<Long, Integer> prewarmed, long recycled, Duration idle) {
        this.prewarmed = prewarmed;
        this.recycled = recycled;
        this.idle = idle;
    }

    /** {@return a budget without pools} */
    public static PoolBudget none() {
        return NONE;
    }

    /**
     * Permits prewarmed buffers of one size, made ahead of demand. They may be exported and are used once.
     *
     * @param size bytes, rounded up to whole pages; the pool serves requests with the same rounded size
     * @param count number of prewarmed buffers, at least 0
     * @return a budget
     * @throws IllegalArgumentException for a negative count
     * @throws ArithmeticException for a size below 1, or when the total size exceeds a long
     */
    public PoolBudget withPrewarmed(long size, int count) {
        if (count < 0) {
            throw new IllegalArgumentException("invalid count = " + count + ": expected 0 or more buffers");
        }
        long pages = Bytes.wholePages(size);
        Map<Long, Integer> more = new TreeMap<>(prewarmed);
        if (count == 0) {
            more.remove(pages);
        } else {
            more.put(pages, count);
        }
        long all = 0;
        for (Map.Entry<Long, Integer> entry : more.entrySet()) {
            all = Math.addExact(all, Math.multiplyExact(entry.getKey(), (long) entry.getValue()));
        }
        return new PoolBudget(more, recycled, idle);
    }

    /**
     * Permits recycling of the memory of buffers allocated with {@code ExportMode.NONE}, which was never exported.
     *
     * @param bytes most bytes that are kept, at least 0
     * @return a budget
     * @throws IllegalArgumentException for a negative size
     */
    public PoolBudget withRecycled(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("invalid size = " + bytes + ": expected 0 or more bytes");
        }
        return new PoolBudget(prewarmed, bytes, idle);
    }

    /**
     * Sets how long idle memory is kept. The default is a minute.
     *
     * @param time more than 0, at most 100 years
     * @return a budget
     * @throws IllegalArgumentException for another time
     */
    public PoolBudget withIdle(Duration time) {
        if (time.isNegative() || time.isZero() || time.compareTo(Duration.ofDays(36_500)) > 0) {
            throw new IllegalArgumentException(
                    "invalid idle time = " + time + ": expected more than 0 and at most 100 years");
        }
        return new PoolBudget(prewarmed, recycled, time);
    }

    Map<Long, Integer> prewarmed() {
        return prewarmed;
    }

    long recycled() {
        return recycled;
    }

    Duration idle() {
        return idle;
    }

    boolean isNone() {
        return prewarmed.isEmpty() && recycled == 0;
    }
}
