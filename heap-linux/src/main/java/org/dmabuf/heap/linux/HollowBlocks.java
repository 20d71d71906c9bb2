// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * Blocks of a region whose memory the machine has, and which are nobody's: the next buffer with memory of its own can
 * have one as it is, and who wants one with memory has to fill it first. The longest waiting is the first to be filled.
 *
 * <p>Any thread may call any method.
 */
final class HollowBlocks {
    /** How many are looked at for one of a size: those of a camera, and of its earlier format. */
    private static final int CANDIDATES = 64;

    /** @param since {@link System#nanoTime} when it came */
    record Block(long offset, long size, long since) {}

    private final Deque<Block> blocks = new ArrayDeque<>();

    synchronized void add(long offset, long size) {
        blocks.addLast(new Block(offset, size, System.nanoTime()));
    }

    /** {@return the offset of a block of exactly that size, which is the caller's now; -1 when none was seen} */
    synchronized long take(long size) {
        Iterator<Block> latest = blocks.descendingIterator();
        for (int i = 0; i < CANDIDATES && latest.hasNext(); i++) {
            Block block = latest.next();
            if (block.size == size) {
                latest.remove();
                return block.offset;
            }
        }
        return -1;
    }

    /** {@return the block that waits longest and at least so many nanoseconds, which is the caller's now, or null} */
    synchronized Block takeOldest(long age) {
        return dueIn(age) <= 0 ? blocks.pollFirst() : null;
    }

    /** {@return nanoseconds until the oldest is of an age, 0 or less when it is; the largest long without one} */
    synchronized long dueIn(long age) {
        Block oldest = blocks.peekFirst();
        return oldest == null ? Long.MAX_VALUE : oldest.since + age - System.nanoTime();
    }

    synchronized int count() {
        return blocks.size();
    }
}
