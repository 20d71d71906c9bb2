// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * Queue of ranges of a region that have neither tenant nor pages. The next buffer with memory of its own can have one
 * as it is. Before any other use it has to be backed again, the longest waiting first.
 *
 * <p>Any thread may call any method.
 */
final class UnbackedRanges {
    /** How many are looked at for one of a size: those of a camera, and of its earlier format. */
    private static final int CANDIDATES = 64;

    /** @param since {@link System#nanoTime} when it came */
    record Range(long offset, long size, long since) {}

    private final Deque<Range> ranges = new ArrayDeque<>();

    synchronized void add(long offset, long size) {
        ranges.addLast(new Range(offset, size, System.nanoTime()));
    }

    /** {@return the offset of a range of exactly that size, which is the caller's now; -1 when none was seen} */
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

    /** {@return the range that waits longest and at least so many nanoseconds, which is the caller's now, or null} */
    synchronized Range takeOldest(long age) {
        return dueIn(age) <= 0 ? ranges.pollFirst() : null;
    }

    /** {@return nanoseconds until the oldest is of an age, 0 or less when it is; the largest long without one} */
    synchronized long dueIn(long age) {
        Range oldest = ranges.peekFirst();
        return oldest == null ? Long.MAX_VALUE : oldest.since + age - System.nanoTime();
    }

    synchronized int count() {
        return ranges.size();
    }
}
