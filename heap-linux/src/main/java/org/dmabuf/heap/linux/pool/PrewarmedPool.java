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
 * Pool of prewarmed memory: a number of buffers for each of some sizes. Each is used once, so that it may be exported.
 * After a while without requests for a size, its buffers are released until the next request.
 *
 * <p>Any thread may call any method. Memory is allocated and released outside of the lock.
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
     * Makes an empty pool.
     *
     * @param counts number of buffers by size in whole pages
     * @param nanoTime the clock
     * @param refill called when buffers are to be made, at most once until {@link #wanted} returns 0; outside of the
     *     lock
     */
    PrewarmedPool(Map<Long, Integer> counts, LongSupplier nanoTime, Runnable refill) {
        this.nanoTime = nanoTime;
        this.refill = refill;
        counts.forEach((size, count) -> shelves.put(size, new Shelf(size, count, nanoTime.getAsLong())));
    }

    /** {@return unused memory; null if there is none} */
    PooledMemory take(long bytes) {
        PooledMemory memory;
        boolean low;
        synchronized (this) {
            Shelf shelf = shelves.get(bytes);
            if (shelf == null) {
                return null; // not a size of the pool, so not a miss
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
            // Only at half of the count, because waking a thread costs as much as making a small buffer.
            low = !asked && !closed && shelf.ready.size() <= shelf.count / 2;
            asked |= low;
        }
        if (low) {
            refill.run();
        }
        return memory;
    }

    /** {@return a size with too few buffers; 0 if there is none, after which {@code refill} is called again} */
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

    /** Keeps new memory, or releases it if it is no longer needed. */
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

    /** Releases memory to the machine. {@return released bytes: at least the given number, if the pool had them} */
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

    /** Releases the buffers of the sizes that had no request since a time. */
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
        gone.add(memory); // can fail; then the memory stays in the pool
        shelf.ready.removeFirst();
        held -= memory.bytes;
        return memory.bytes;
    }

    /** Closes the pool: releases all memory, now and in later calls. */
    void close() {
        synchronized (this) {
            closed = true;
        }
        giveBack(Long.MAX_VALUE);
    }

    synchronized long held() {
        return held;
    }

    /** {@return the last request time of the longest idle size with buffers, or the given time without one} */
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
