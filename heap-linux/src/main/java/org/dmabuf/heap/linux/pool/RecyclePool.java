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
 * Pool of memory that was used and never left the process. It is kept mapped, by size, within a budget of bytes; when
 * that is full the oldest goes. It keeps its last tenant's bytes, and is cleared when it is taken.
 *
 * <p>Any thread may call any method. Memory is released outside of the lock. A client that releases a buffer and asks
 * for another of the size, as for one frame after the other, takes no lock: to clear 64 KiB takes half a microsecond,
 * and the locks would be up to 2 % of that.
 */
final class RecyclePool {
    /** What was put last, until it is taken or something else is put. Only the holder of the lock displaces it. */
    private final AtomicReference<PooledMemory> youngest = new AtomicReference<>();

    private final AtomicLong hits = new AtomicLong();

    /** The clock when it was last looked at, which for each buffer would cost as much as all else. */
    private volatile long now;

    // Guarded by this; a put without the lock reads the first two.
    /** 0 once closed. */
    private volatile long budget;
    /** Bytes of all but the youngest. */
    private volatile long olderBytes;

    private final LinkedHashSet<PooledMemory> older = new LinkedHashSet<>(); // the oldest first
    private final Map<Long, Deque<PooledMemory>> olderOfSize = new HashMap<>();
    private long misses;

    /**
     * An empty pool.
     *
     * @param budget bytes at most, 0 for none
     * @param now the clock's reading
     */
    RecyclePool(long budget, long now) {
        this.budget = budget;
        this.now = now;
    }

    /** {@return memory for which as many bytes were asked, cleared; null when there is none} */
    PooledMemory take(long bytes) {
        // Of a size, what was used last is the likeliest to be in a cache.
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

    /** Takes memory back, or releases it when it does not fit or the pool is closed. */
    void put(PooledMemory memory) {
        memory.since = now;
        if (memory.bytes > budget) {
            memory.release();
        } else if (!youngest.compareAndSet(null, memory)) {
            displaceYoungest(memory);
        } else if (memory.bytes > budget - olderBytes) { // read after it is seen there: see shrink
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

    /** Keeps memory with its size and among the others, or with neither. */
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
     * Lets the oldest go until the rest is within the budget. Called after each growth. It looks at the youngest after
     * the others have grown, and a put without the lock looks at the others after it became the youngest: at least one
     * of two that meet sees both.
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

    /** {@return how much was given back to the machine, at least as much as was wanted where there was as much} */
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
     * Looks at the clock: from here on, what is put here counts as put now.
     *
     * @param reading of the clock
     */
    void tick(long reading) {
        now = reading;
    }

    /** Gives back what was put here before a moment. */
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

    /** Gives back everything, now and from now on. */
    void close() {
        synchronized (this) {
            budget = 0;
        }
        shrink();
    }

    synchronized long held() {
        return olderBytes + bytes(youngest.get());
    }

    /** {@return when the oldest memory came here; a later moment when there is none} */
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

    /** {@return bytes of the oldest, which this takes out; 0 when there is none} */
    private long removeOldest(List<PooledMemory> gone) {
        gone.add(null); // which can fail: the place is there before the memory is taken out
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
        // It is the youngest of its size, or as the oldest of all the oldest of it.
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
