// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * Queue of ranges of a region that have neither a buffer nor pages. The next buffer with separate memory can use one
 * unchanged. For any other use a range must be backed again; the one that has waited longest comes first.
 *
 * <p>Any thread may call any method.
 */
final class UnbackedRanges {
    /**
     * Limit of ranges to search for one of a given size. It is enough for the buffers of a camera in its present and
     * its previous format.
     */
    private static final int CANDIDATES = 64;

    /** @param since {@link System#nanoTime} of its addition */
    record Range(long offset, long size, long since) {}

    private final Deque<Range> ranges = new ArrayDeque<>();

    synchronized void add(long offset, long size) {
        ranges.addLast(new Range(offset, size, System.nanoTime()));
    }

    /** {@return the offset of a range of exactly that size, which the caller now owns; -1 if none was found} */
    synchronized long take(long size) {
        Iterator<Range> latest = ranges.descendingIterator();
        for (int i = 0; i < CANDIDATES && latest.hasNext(); i++) {
            Range range = latest.next();
            if (range.size == size) {
                latest.remove();
                return range.offset;
            }
        }
        return -1;
    }

    /**
     * {@return the range that has waited longest, and at least the given nanoseconds, which the caller now owns; or
     * null}
     */
    synchronized Range takeOldest(long age) {
        return dueIn(age) <= 0 ? ranges.pollFirst() : null;
    }

    /**
     * {@return nanoseconds until the oldest range reaches an age, 0 or less if it has; the largest long without ranges}
     */
    synchronized long dueIn(long age) {
        Range oldest = ranges.peekFirst();
        return oldest == null ? Long.MAX_VALUE : oldest.since + age - System.nanoTime();
    }

    synchronized int count() {
        return ranges.size();
    }
}
