// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.linux.libc.Memset;

/**
 * Pool of recycled memory: it was used, but never exported. The pool keeps it mapped, by size, within a budget of
 * bytes, and releases the oldest when the budget is full. The memory keeps its old contents, and is cleared when it is
 * taken.
 *
 * <p>Any thread may call any method. Memory is released outside of the lock. A client that releases a buffer and
 * requests another of the same size, for instance for successive frames, takes no lock. Clearing 64 KiB takes half a
 * microsecond, to which the locks would add 2 %.
 */
final class RecyclePool {
    /**
     * Memory that was put last, until it is taken or displaced by other memory. Only a thread with the lock displaces
     * it.
     */
    private final AtomicReference<PooledMemory> youngest = new AtomicReference<>();

    private final AtomicLong hits = new AtomicLong();

    /** Time of the last tick. Reading the clock for each buffer would cost as much as the rest of the work. */
    private volatile long now;

    // Guarded by this; a put without the lock also reads the first two.
    /** 0 after the close. */
    private volatile long budget;
    /** Bytes of all memory except the youngest. */
    private volatile long olderBytes;

    private final LinkedHashSet<PooledMemory> older = new LinkedHashSet<>(); // oldest first
    private final Map<Long, Deque<PooledMemory>> olderOfSize = new HashMap<>();
    private long misses;

    /**
     * Makes an empty pool.
     *
     * @param budget most bytes to keep, 0 for none
     * @param now the clock's reading
     */
    RecyclePool(long budget, long now) {
        this.budget = budget;
        this.now = now;
    }

    /** {@return cleared memory of the same requested size; null if there is none} */
    PooledMemory take(long bytes) {
        // The most recently used memory of a size is most likely in a CPU cache.
        PooledMemory memory = youngest.get();
        if (memory == null || memory.asked != bytes || !youngest.compareAndSet(memory, null)) {
            memory = takeOlder(bytes);
            if (memory == null) {
                return null;
            }
        }
        hits.incrementAndGet();
        Memset.clear(memory.mapping.address(), memory.mapping.byteSize());
        return memory;
    }

    private synchronized PooledMemory takeOlder(long bytes) {
        Deque<PooledMemory> ofSize = olderOfSize.get(bytes);
        if (ofSize == null) {
            misses++;
            return null;
        }
        return remove(ofSize.getLast());
    }

    /** Keeps memory, or releases it if it exceeds the budget or the pool is closed. */
    void put(PooledMemory memory) {
        memory.since = now;
        if (memory.bytes > budget) {
            memory.release();
        } else if (!youngest.compareAndSet(null, memory)) {
            displaceYoungest(memory);
        } else if (memory.bytes > budget - olderBytes) { // read after it became the youngest: see shrink
            shrink();
        }
    }

    private void displaceYoungest(PooledMemory memory) {
        PooledMemory displaced = null;
        boolean kept = false;
        try {
            synchronized (this) {
                displaced = youngest.getAndSet(memory);
                if (displaced != null) {
                    keep(displaced);
                }
            }
            kept = true;
        } finally {
            if (!kept && displaced != null) {
                displaced.release();
            }
        }
        shrink();
    }

    /** Adds memory to both collections, or to neither. */
    private void keep(PooledMemory memory) {
        Deque<PooledMemory> ofSize = olderOfSize.computeIfAbsent(memory.asked, size -> new ArrayDeque<>());
        boolean kept = false;
        try {
            ofSize.addLast(memory);
            older.add(memory);
            kept = true;
        } finally {
            if (!kept) {
                if (ofSize.peekLast() == memory) {
                    ofSize.removeLast();
                }
                if (ofSize.isEmpty()) {
                    olderOfSize.remove(memory.asked);
                }
            }
        }
        olderBytes += memory.bytes;
    }

    /**
     * Releases the oldest memory until the rest is within the budget. Called after each growth. It reads the youngest
     * after the others have grown. A put without the lock reads the others after it has set the youngest. So at least
     * one of two concurrent threads sees both.
     */
    private void shrink() {
        List<PooledMemory> gone = new ArrayList<>();
        try {
            synchronized (this) {
                for (PooledMemory last = youngest.get(); bytes(last) > budget - olderBytes; last = youngest.get()) {
                    removeOldest(gone);
                }
            }
        } finally {
            PooledMemory.releaseAll(gone);
        }
    }

    /** Releases memory to the machine. {@return released bytes: at least the given number, if the pool had them} */
    long giveBack(long bytes) {
        List<PooledMemory> gone = new ArrayList<>();
        long given = 0;
        try {
            synchronized (this) {
                for (long more = 1; more > 0 && given < bytes; given += more) {
                    more = removeOldest(gone);
                }
            }
        } finally {
            PooledMemory.releaseAll(gone);
        }
        return given;
    }

    /**
     * Sets the time that later puts record.
     *
     * @param reading of the clock
     */
    void tick(long reading) {
        now = reading;
    }

    /** Releases the memory that was put here before a time. */
    void expire(long before) {
        List<PooledMemory> gone = new ArrayList<>();
        try {
            synchronized (this) {
                while (oldestSince(before + 1) - before <= 0 && removeOldest(gone) > 0) {
                    // the next
                }
            }
        } finally {
            PooledMemory.releaseAll(gone);
        }
    }

    /** Closes the pool: releases all memory, now and in later calls. */
    void close() {
        synchronized (this) {
            budget = 0;
        }
        shrink();
    }

    synchronized long held() {
        return olderBytes + bytes(youngest.get());
    }

    /** {@return the time at which the oldest memory was put here; the given time if there is none} */
    synchronized long oldestSince(long otherwise) {
        PooledMemory oldest = older.isEmpty() ? youngest.get() : older.getFirst();
        return oldest == null ? otherwise : oldest.since;
    }

    synchronized PoolUsage usage() {
        return new PoolUsage("recycled", held(), hits.get(), misses);
    }

    private static long bytes(PooledMemory memory) {
        return memory == null ? 0 : memory.bytes;
    }

    /** Removes the oldest memory. {@return its bytes, 0 if there is none} */
    private long removeOldest(List<PooledMemory> gone) {
        gone.add(null); // can fail, so the place is made before the memory is removed
        PooledMemory oldest = older.isEmpty() ? youngest.getAndSet(null) : remove(older.getFirst());
        if (oldest == null) {
            gone.removeLast();
        } else {
            gone.set(gone.size() - 1, oldest);
        }
        return bytes(oldest);
    }

    private PooledMemory remove(PooledMemory memory) {
        older.remove(memory);
        Deque<PooledMemory> ofSize = olderOfSize.get(memory.asked);
        // The memory is either the youngest of its size or, as the oldest of all, the oldest of its size.
        if (ofSize.getLast() == memory) {
            ofSize.removeLast();
        } else {
            ofSize.removeFirst();
        }
        if (ofSize.isEmpty()) {
            olderOfSize.remove(memory.asked);
        }
        olderBytes -= memory.bytes;
        return memory;
    }
}
