// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Allocator of ranges of a region, by two-level segregated fit in whole granules. It accesses no byte of the region.
 * Its metadata is in separate arrays, so that no buffer can damage it, and the region need not be mapped. Offsets and
 * alignments count from the region's start, which the caller aligns. With a granule of the size of a chunk it allocates
 * like ION's chunk heap, but in one piece.
 *
 * <pre>
 * FREE -- allocate --&gt; ALLOCATED -- quarantine --&gt; QUARANTINED
 * ALLOCATED, QUARANTINED -- discard --&gt; DIRTY -- takeDirty --&gt; ZEROING
 * ALLOCATED, QUARANTINED -- retire --&gt; ZEROING -- reuse --&gt; ALLOCATED
 * ALLOCATED, ZEROING -- free --&gt; FREE
 * </pre>
 *
 * <p>Adjacent free blocks are always merged; other blocks never are. An allocation succeeds whenever a suitable place
 * exists. Allocations and changes of state take a bounded number of steps and create no garbage. The only exception is
 * the exact search over all free blocks that are large enough. It runs after up to 64 candidates and the padded fit
 * have failed.
 *
 * <p>Any thread may call any method. Each call holds one lock, under which only code of this class runs.
 */
final class RegionAllocator {
    /** State of a block of granules. */
    enum State {
        /** Free to be allocated. */
        FREE,
        /** In use by a buffer. */
        ALLOCATED,
        /** Released, but a holder may still access it. */
        QUARANTINED,
        /** Waiting to be zeroed. */
        DIRTY,
        /** Being zeroed, or waiting for pages. */
        ZEROING
    }

    /**
     * Snapshot of the figures, sizes in bytes.
     *
     * @param size of the region
     * @param free bytes that can be allocated now, not necessarily in one piece
     * @param largestFree bytes that can be allocated now in one piece
     * @param dirty bytes that wait to be zeroed or for pages, or are being zeroed
     * @param quarantined released bytes that a holder may still access
     * @param blocks number of blocks in any state
     * @param requests number of requests ever made, including refused ones
     * @param padded number of these that the {@value #CANDIDATES} candidates left undecided
     * @param exact number of these that the padded fit left undecided, too
     * @param refused number of requests that found no place
     */
    record Figures(
            long size,
            long free,
            long largestFree,
            long dirty,
            long quarantined,
            int blocks,
            long requests,
            long padded,
            long exact,
            long refused) {
        /** {@return the share of the free bytes that the largest possible buffer cannot use, 0 to 1} */
        double fragmentation() {
            return free == 0 ? 0 : 1 - (double) largestFree / free;
        }
    }

    /** Visitor of blocks in the order of their offsets. */
    interface Visitor {
        /**
         * Visits one block.
         *
         * @param offset bytes from the region's start
         * @param size bytes
         * @param state state at the time of the call that iterates
         */
        void block(long offset, long size, State state);
    }

    /** Limit for which sums of a size, an alignment and a class's width are ints: 1 TiB in granules of 4 KiB. */
    static final int MAX_GRANULES = 1 << 28;

    /** Bytes of the Java heap for each granule. */
    static final int METADATA = 4 * Integer.BYTES;

    private static final int CANDIDATES = 64;
    private static final State[] STATES = State.values();
    private static final Set<State> TO_QUARANTINE = EnumSet.of(State.ALLOCATED);
    private static final Set<State> TO_DISCARD = EnumSet.of(State.ALLOCATED, State.QUARANTINED, State.ZEROING);
    private static final Set<State> TO_RETIRE = EnumSet.of(State.ALLOCATED, State.QUARANTINED);
    private static final Set<State> TO_REUSE = EnumSet.of(State.ZEROING);
    private static final Set<State> TO_FREE = EnumSet.of(State.ALLOCATED, State.ZEROING);
    private static final Set<State> NOT_FREE = EnumSet.complementOf(EnumSet.of(State.FREE));

    private static final int NONE = -1;
    private static final int UNDECIDED = -2;
    private static final int CLASSES = classOf(2 * MAX_GRANULES) + Integer.SIZE;
    private static final int DIRTY_LIST = CLASSES;

    private final int shift;
    private final int granules;

    // Indexed by a block's first granule; a sentinel block after the last granule is never free.
    /** Size and state; 0 inside a block. */
    private final int[] tag;
    /** Start of the previous block. */
    private final int[] before;
    /** Neighbours in the list of a class of free blocks, or of the dirty blocks. */
    private final int[] next;

    private final int[] previous;

    private final int[] first = new int[CLASSES + 1];
    /** Bits of the classes that have a free block, and of the non-zero words of this array. */
    private final int[] occupied = new int[CLASSES / Integer.SIZE + 1];

    private int occupiedWords;

    private final int[] inState = new int[STATES.length];
    private int blocks;
    private long requests;
    private long padded;
    private long exact;
    private long refused;

    /**
     * Makes an allocator for a region that is entirely free and zeroed.
     *
     * @param heap named in refusals
     * @param size bytes, a multiple of the granule
     * @param granule unit to which sizes are rounded up, in bytes: a power of two and at least a page
     * @throws HeapException {@link Errno#EINVAL} for an invalid size or more than {@value #MAX_GRANULES} granules,
     *     {@link Errno#ENOMEM} when {@value #METADATA} bytes for each granule exceed half of the Java heap
     */
    RegionAllocator(String heap, long size, long granule) {
        if (granule < Bytes.PAGE || Long.bitCount(granule) != 1) {
            throw refusal(
                    Errno.EINVAL,
                    heap,
                    "invalid granule = " + granule + ": expected a power of two of at least a page, " + Bytes.PAGE);
        }
        if (size <= 0 || size % granule != 0) {
            throw refusal(
                    Errno.EINVAL,
                    heap,
                    "invalid size = " + size + " of a region: expected a positive multiple of its granule, " + granule);
        }
        long count = size / granule;
        if (count > MAX_GRANULES) {
            throw refusal(
                    Errno.EINVAL,
                    heap,
                    "a region of " + Bytes.text(size) + " has too many granules of " + Bytes.text(granule)
                            + "; raise the granule to "
                            + Bytes.text(2 * Long.highestOneBit((size - 1) / MAX_GRANULES)));
        }
        long most = Runtime.getRuntime().maxMemory() / 2;
        if (count * METADATA > most) {
            throw refusal(
                    Errno.ENOMEM,
                    heap,
                    "a region of " + Bytes.text(size) + " in granules of " + Bytes.text(granule) + " needs "
                            + Bytes.text(count * METADATA) + " of the Java heap, more than half of it, "
                            + Bytes.text(most) + "; raise the granule or -Xmx");
        }
        shift = Long.numberOfTrailingZeros(granule);
        granules = (int) count;
        tag = new int[granules + 1];
        before = new int[granules + 1];
        next = new int[granules];
        previous = new int[granules];
        Arrays.fill(first, NONE);
        tag[granules] = State.ALLOCATED.ordinal();
        before[0] = granules;
        addFree(0, granules);
    }

    private static HeapException refusal(Errno errno, String heap, String sentence) {
        return HeapException.of(errno, heap, "" + sentence);
    }

    /**
     * Returns the alignment that the kernel's CMA uses.
     *
     * @param size bytes of the buffer, more than 0
     * @param cap bytes, a power of two
     * @return the smallest power of two that is at least the size, but at most the cap
     */
    static long alignment(long size, long cap) {
        return size > cap / 2 ? cap : Math.max(1, Long.highestOneBit(2 * size - 1));
    }

    /**
     * Allocates the first aligned place in the smallest suitable block among the candidates. The contents are those at
     * the time when the block became free.
     *
     * @param size bytes, more than 0
     * @param alignment bytes, a power of two
     * @return an offset, or -1 if no place is large enough
     * @throws IllegalArgumentException for an invalid size or alignment
     */
    synchronized long allocate(long size, long alignment) {
        if (size <= 0) {
            throw new IllegalArgumentException("invalid size = " + size + ": expected more than 0 bytes");
        }
        int aligned = granuleAlignment(alignment);
        requests++;
        int place = size > (long) granules << shift ? NONE : place((int) (size - 1 >>> shift) + 1, aligned);
        if (place == NONE) {
            refused++;
            return -1;
        }
        return (long) place << shift;
    }

    /**
     * Frees a block whose contents the next owner may see, because it was zeroed or was not used.
     *
     * @param offset of an allocated block, or of a block from {@link #takeDirty} or {@link #retire}
     * @throws IllegalStateException for any other block; nothing has changed then
     */
    synchronized void free(long offset) {
        int block = block(offset, TO_FREE);
        int end = block + size(block);
        int left = before[block];
        remove(block);
        if (state(left) == State.FREE) {
            block = left;
            removeFree(left);
        }
        if (state(end) == State.FREE) {
            int right = end;
            end += size(right);
            removeFree(right);
        }
        addFree(block, end - block);
    }

    /**
     * Marks a block as dirty: it must be zeroed, because the next owner must not see its contents.
     *
     * @param offset of a block that is allocated or quarantined, or that was taken and could not be zeroed
     * @throws IllegalStateException for any other block; nothing has changed then
     */
    synchronized void discard(long offset) {
        int block = block(offset, TO_DISCARD);
        change(block, State.DIRTY);
        link(DIRTY_LIST, block);
    }

    /**
     * Takes the latest dirty block, which is most likely in a CPU cache. The caller zeroes it and calls {@link #free},
     * or {@link #discard} if the zeroing failed.
     *
     * @return an offset, or -1 if there is no dirty block
     */
    synchronized long takeDirty() {
        int block = first[DIRTY_LIST];
        if (block == NONE) {
            return -1;
        }
        unlink(DIRTY_LIST, block);
        change(block, State.ZEROING);
        return (long) block << shift;
    }

    /**
     * Takes a block that its released buffer did not access and that has no holder, so that it needs no zeroing. The
     * caller later calls {@link #free} or {@link #reuse}.
     *
     * @param offset of a block that is allocated or quarantined
     * @throws IllegalStateException for any other block; nothing has changed then
     */
    synchronized void retire(long offset) {
        change(block(offset, TO_RETIRE), State.ZEROING);
    }

    /**
     * Allocates a retired block, unchanged and in its size, to another buffer. It does not count as a request.
     *
     * @param offset of a {@linkplain #retire retired} block
     * @throws IllegalStateException for any other block; nothing has changed then
     */
    synchronized void reuse(long offset) {
        change(block(offset, TO_REUSE), State.ALLOCATED);
    }

    /**
     * Quarantines the block of a released buffer until {@link #discard} or {@link #retire}, when no holder is left.
     *
     * @param offset of an allocated block
     * @throws IllegalStateException for any other block; nothing has changed then
     */
    synchronized void quarantine(long offset) {
        change(block(offset, TO_QUARANTINE), State.QUARANTINED);
    }

    /**
     * Returns the size of a block.
     *
     * @param offset of a block that is not free
     * @return bytes, in whole granules
     * @throws IllegalStateException when no such block starts there
     */
    synchronized long size(long offset) {
        return (long) size(block(offset, NOT_FREE)) << shift;
    }

    /**
     * Returns the current figures. It searches free blocks of about the largest size under the lock, so do not call it
     * during an allocation.
     *
     * @param cap the largest {@linkplain #alignment alignment} of requests in bytes, a power of two; 1 for none
     * @return a snapshot
     * @throws IllegalArgumentException when the cap is not a power of two
     */
    synchronized Figures figures(long cap) {
        return new Figures(
                (long) granules << shift,
                bytes(State.FREE),
                (long) largestFree(granuleAlignment(cap)) << shift,
                bytes(State.DIRTY) + bytes(State.ZEROING),
                bytes(State.QUARANTINED),
                blocks,
                requests,
                padded,
                exact,
                refused);
    }

    /**
     * Visits every block in its state at the time of the call, outside the lock.
     *
     * @param visitor called by this thread; may call this allocator
     */
    void forEachBlock(Visitor visitor) {
        long offset = 0;
        for (int tagged : tags()) {
            long size = (long) (tagged >>> 3) << shift;
            visitor.block(offset, size, STATES[tagged & 7]);
            offset += size;
        }
    }

    private synchronized int[] tags() {
        int[] tags = new int[blocks];
        for (int i = 0, block = 0; i < blocks; i++, block += size(block)) {
            tags[i] = tag[block];
        }
        return tags;
    }

    /**
     * Returns the alignment in granules. A larger alignment than the region permits only offset 0, as does the next
     * power of two.
     */
    private int granuleAlignment(long alignment) {
        if (Long.bitCount(alignment) != 1 || alignment < 0) {
            throw new IllegalArgumentException("invalid alignment = " + alignment + ": expected a power of two");
        }
        return (int) Math.min(Math.max(1, alignment >>> shift), Integer.highestOneBit(2 * granules - 1));
    }

    private int place(int size, int alignment) {
        int block = search(size, alignment, CANDIDATES);
        if (block == UNDECIDED) {
            padded++;
            block = fitting(size + alignment - 1);
            if (block == NONE) {
                exact++;
                block = search(size, alignment, Integer.MAX_VALUE);
            }
        }
        return block == NONE ? NONE : take(block, size, alignment);
    }

    /**
     * Searches the first class with a suitable block for the smallest free block that holds the aligned request.
     *
     * @return a block; {@link #NONE} if none is suitable; or {@link #UNDECIDED} after the limit of candidates
     */
    private int search(int size, int alignment, int candidates) {
        for (int c = occupiedFrom(classOf(size)); c != NONE; c = occupiedFrom(c + 1)) {
            int best = UNDECIDED;
            for (int block = first[c]; block != NONE; block = next[block]) {
                if (candidates-- == 0) {
                    return best;
                }
                if (run(block, alignment) >= size && (best == UNDECIDED || size(block) < size(best))) {
                    best = block;
                    if (size(best) == size) {
                        return best;
                    }
                }
            }
            if (best != UNDECIDED) {
                return best;
            }
        }
        return NONE;
    }

    /** Returns any block of the first class in which every block is large enough. */
    private int fitting(int size) {
        int c = occupiedFrom(classOf(size + (1 << step(size)) - 1));
        return c == NONE ? NONE : first[c];
    }

    private int take(int block, int size, int alignment) {
        int end = block + size(block);
        int start = alignUp(block, alignment);
        removeFree(block);
        if (block < start) {
            addFree(block, start - block);
        }
        add(start, size, State.ALLOCATED);
        if (start + size < end) {
            addFree(start + size, end - start - size);
        }
        return start;
    }

    /**
     * Returns the largest size that can be allocated with its own alignment. A size above half of the cap needs the cap
     * as its alignment.
     */
    private int largestFree(int cap) {
        int limit = granules;
        for (int alignment = cap; alignment > 0; alignment /= 2) {
            int run = longestRun(alignment);
            if (run > alignment / 2) {
                return Math.min(run, limit);
            }
            limit = alignment / 2;
        }
        return 0;
    }

    private int longestRun(int alignment) {
        int longest = 0;
        for (int c = CLASSES - 1; c >= classOf(longest); c--) {
            for (int block = first[c]; block != NONE; block = next[block]) {
                longest = Math.max(longest, run(block, alignment));
            }
        }
        return longest;
    }

    private static int alignUp(int granule, int alignment) {
        return granule + alignment - 1 & -alignment;
    }

    /**
     * Returns the number of granules from the first aligned one in a block to its end, negative if the block ends
     * before.
     */
    private int run(int block, int alignment) {
        return block + size(block) - alignUp(block, alignment);
    }

    /**
     * Returns the class of a size. Each size below 64 has its own class; above, each power of two has 32 classes of
     * width {@code 1 << step}.
     */
    private static int classOf(int size) {
        int step = step(size);
        return (step << 5) + (size >>> step);
    }

    private static int step(int size) {
        return Math.max(0, 26 - Integer.numberOfLeadingZeros(size));
    }

    private int occupiedFrom(int c) {
        int word = c >> 5;
        int classes = occupied[word] & -1 << c;
        if (classes == 0) {
            int words = occupiedWords & -2 << word;
            if (words == 0) {
                return NONE;
            }
            word = Integer.numberOfTrailingZeros(words);
            classes = occupied[word];
        }
        return word << 5 | Integer.numberOfTrailingZeros(classes);
    }

    private void addFree(int block, int size) {
        add(block, size, State.FREE);
        int c = classOf(size);
        link(c, block);
        occupied[c >> 5] |= 1 << c;
        occupiedWords |= 1 << (c >> 5);
    }

    private void removeFree(int block) {
        int c = classOf(size(block));
        unlink(c, block);
        remove(block);
        if (first[c] == NONE) {
            occupied[c >> 5] &= ~(1 << c);
            if (occupied[c >> 5] == 0) {
                occupiedWords &= ~(1 << (c >> 5));
            }
        }
    }

    private void add(int block, int size, State state) {
        tag[block] = size << 3 | state.ordinal();
        before[block + size] = block;
        inState[state.ordinal()] += size;
        blocks++;
    }

    private void remove(int block) {
        inState[state(block).ordinal()] -= size(block);
        tag[block] = 0;
        blocks--;
    }

    private void change(int block, State state) {
        int size = size(block);
        remove(block);
        add(block, size, state);
    }

    private void link(int list, int block) {
        int second = first[list];
        first[list] = block;
        previous[block] = NONE;
        next[block] = second;
        if (second != NONE) {
            previous[second] = block;
        }
    }

    private void unlink(int list, int block) {
        int left = previous[block];
        int right = next[block];
        if (left == NONE) {
            first[list] = right;
        } else {
            next[left] = right;
        }
        if (right != NONE) {
            previous[right] = left;
        }
    }

    private int block(long offset, Set<State> allowed) {
        long granule = offset >>> shift;
        if (granule >= granules || granule << shift != offset || tag[(int) granule] == 0) {
            throw new IllegalStateException("no block starts at offset " + offset);
        }
        int block = (int) granule;
        if (!allowed.contains(state(block))) {
            throw new IllegalStateException("the block at offset " + offset + " is " + state(block));
        }
        return block;
    }

    private int size(int block) {
        return tag[block] >>> 3;
    }

    private State state(int block) {
        return STATES[tag[block] & 7];
    }

    private long bytes(State state) {
        return (long) inState[state.ordinal()] << shift;
    }
}
