// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import org.dmabuf.heap.PoolUsage;

/**
 * Pool of memory that was made ahead of demand and is used once, so that it may be exported: a number of buffers of
 * each of some sizes. A size without requests for a while is given up until the next one.
 *
 * <p>Any thread may call any method. Memory is made and released outside of the lock.
 */
final class PrewarmedPool {
    private static final class Shelf {
        final long size;
        final int count;
        final Deque<PooledMemory> ready = new ArrayDeque<>();
        long askedAt;
        boolean idle;

        Shelf(long size, int count, long now) {
            this.size = size;
            this.count = count;
            this.askedAt = now;
        }

        boolean wants() {
            return !idle && ready.size() < count;
        }
    }

    private final LongSupplier nanoTime;
    private final Runnable refill;

    // All guarded by this.
    private final Map<Long, Shelf> shelves = new TreeMap<>();
    private long held;
    private long hits;
    private long misses;
    private boolean asked;
    private boolean closed;

    /**
     * An empty pool.
     *
     * @param counts how many buffers by their whole pages
     * @param nanoTime the clock
     * @param refill called when it is time to make more, at most once until {@link #wanted} returns 0; outside
     *     of the lock
     */
    PrewarmedPool(Map<Long, Integer> counts, LongSupplier nanoTime, Runnable refill) {
        this.nanoTime = nanoTime;
        this.refill = refill;
        counts.forEach((size, count) -> shelves.put(size, new Shelf(size, count, nanoTime.getAsLong())));
    }

    /** {@return memory that was never used; null when there is none} */
    PooledMemory take(long bytes) {
        PooledMemory memory;
        boolean low;
        synchronized (this) {
            Shelf shelf = shelves.get(bytes);
            if (shelf == null) {
                return null; // not of the kind: no miss
            }
            shelf.askedAt = nanoTime.getAsLong();
            shelf.idle = false;
            memory = shelf.ready.pollLast();
            if (memory == null) {
                misses++;
            } else {
                hits++;
                held -= memory.bytes;
            }
            // By halves, because to wake a thread costs as much as to make a small buffer.
            low = !asked && !closed && shelf.ready.size() <= shelf.count / 2;
            asked |= low;
        }
        if (low) {
            refill.run();
        }
        return memory;
    }

    /** {@return a size of which there are too few; 0 when there is none: from then on a shortage is reported again} */
    synchronized long wanted() {
        if (!closed) {
            for (Shelf shelf : shelves.values()) {
                if (shelf.wants()) {
                    return shelf.size;
                }
            }
        }
        asked = false;
        return 0;
    }

    /** Takes memory that was made for it, or releases it when it is not wanted any more. */
    void put(PooledMemory memory) {
        boolean kept = false;
        try {
            synchronized (this) {
                Shelf shelf = shelves.get(memory.asked);
                if (!closed && shelf.wants()) {
                    shelf.ready.addLast(memory);
                    held += memory.bytes;
                    kept = true;
                }
            }
        } finally {
            if (!kept) {
                memory.release();
            }
        }
    }

    /** {@return how much was given back to the machine, at least as much as was wanted where there was as much} */
    long giveBack(long bytes) {
        List<PooledMemory> gone = new ArrayList<>();
        long given = 0;
        try {
            synchronized (this) {
                for (Shelf shelf : shelves.values()) {
                    while (given < bytes && !shelf.ready.isEmpty()) {
                        given += remove(shelf, gone);
                    }
                }
            }
        } finally {
            PooledMemory.releaseAll(gone);
        }
        return given;
    }

    /** Gives up the sizes without a request since a moment. */
    void expire(long before) {
        List<PooledMemory> gone = new ArrayList<>();
        try {
            synchronized (this) {
                for (Shelf shelf : shelves.values()) {
                    if (shelf.askedAt - before <= 0) {
                        shelf.idle = true;
                        while (!shelf.ready.isEmpty()) {
                            remove(shelf, gone);
                        }
                    }
                }
            }
        } finally {
            PooledMemory.releaseAll(gone);
        }
    }

    private long remove(Shelf shelf, List<PooledMemory> gone) {
        PooledMemory memory = shelf.ready.peekFirst();
        gone.add(memory); // which can fail, and then it stays here
        shelf.ready.removeFirst();
        held -= memory.bytes;
        return memory.bytes;
    }

    /** Gives back everything, now and from now on. */
    void close() {
        synchronized (this) {
            closed = true;
        }
        giveBack(Long.MAX_VALUE);
    }

    synchronized long held() {
        return held;
    }

    /** {@return when the size was asked for that is idle the longest and has something to give up} */
    synchronized long oldestAsked(long otherwise) {
        long oldest = otherwise;
        for (Shelf shelf : shelves.values()) {
            if (!shelf.ready.isEmpty() && shelf.askedAt - oldest < 0) {
                oldest = shelf.askedAt;
            }
        }
        return oldest;
    }

    synchronized PoolUsage usage() {
        return new PoolUsage("prewarmed", held, hits, misses);
    }
}
