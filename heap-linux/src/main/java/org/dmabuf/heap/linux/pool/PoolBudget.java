// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Budget of memory that a source may keep for speed: nothing, unless set. Immutable: each method returns another.
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

    /** {@return a budget of nothing} */
    public static PoolBudget none() {
        return NONE;
    }

    /**
     * Lets buffers of one size be made ahead of demand. They may be exported and are used once.
     *
     * @param size bytes, rounded up to whole pages: requests that round to as many are served
     * @param count how many are kept ready, at least 0
     * @return a budget
     * @throws ArithmeticException when there are not as many bytes
     */
    public PoolBudget withPrewarmed(long size, int count) {
        if (count < 0) {
            throw new IllegalArgumentException(count + " buffers");
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
     * Lets memory be kept of buffers that were allocated with {@code ExportMode.NONE} and so never left the process.
     *
     * @param bytes of all that is kept, at least 0
     * @return a budget
     */
    public PoolBudget withRecycled(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException(bytes + " bytes");
        }
        return new PoolBudget(prewarmed, bytes, idle);
    }

    /**
     * Sets how long memory is kept for which no request comes; a minute otherwise.
     *
     * @param time more than 0, at most 100 years
     * @return a budget
     */
    public PoolBudget withIdle(Duration time) {
        if (time.isNegative() || time.isZero() || time.compareTo(Duration.ofDays(36_500)) > 0) {
            throw new IllegalArgumentException(time.toString());
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
