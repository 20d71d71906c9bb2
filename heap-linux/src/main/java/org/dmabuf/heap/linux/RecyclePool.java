// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.PoolUsage;

/**
 * Memory that was used and never left the process. It is kept mapped, by size, within a budget of bytes; when that is
 * full the oldest goes. It keeps its last tenant's bytes: whoever takes it clears it first.
 *
 * <p>Any thread may call any method. Memory is released outside of the lock.
 */
final class RecyclePool {
    /** Of one size, the youngest: what was used last is the likeliest to be in a cache. */
    private static final class Size {
        final long bytes;
        PooledMemory youngest;

        Size(long bytes) {
            this.bytes = bytes;
        }
    }

    private final long budget;

    // All guarded by this.
    private final Map<Long, Size> sizes = new HashMap<>();
    private PooledMemory oldest;
    private PooledMemory youngest;
    private long held;
    private long hits;
    private long misses;
    private boolean closed;
    /** The clock when it was last looked at, which for each buffer would cost as much as all else. */
    private long now;
    /** Of the size that was asked for last. */
    private Size last;

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
        PooledMemory memory;
        synchronized (this) {
            Size size = size(bytes);
            memory = size == null ? null : size.youngest;
            if (memory == null) {
                misses++;
                return null;
            }
            hits++;
            unlink(memory);
        }
        Zeroing.clear(memory.mapping);
        return memory;
    }

    /** Takes memory back, or releases it when it does not fit or the pool is closed. */
    void put(PooledMemory memory) {
        List<PooledMemory> gone = List.of();
        synchronized (this) {
            if (closed || memory.bytes() > budget) {
                gone = List.of(memory);
                forgetEmpty(memory.asked);
            } else {
                memory.since = now;
                link(memory);
                if (held > budget) {
                    gone = oldest(held - budget, Long.MAX_VALUE);
                }
            }
        }
        gone.forEach(PooledMemory::release);
    }

    /** {@return how much was given back to the machine, at least as much as was wanted where there was as much} */
    long giveBack(long bytes) {
        return release(bytes, Long.MAX_VALUE);
    }

    /**
     * Looks at the clock: from here on, what is put here counts as put now.
     *
     * @param reading of the clock
     */
    synchronized void tick(long reading) {
        now = reading;
    }

    /** Gives back what was put here before a moment. */
    void expire(long before) {
        release(Long.MAX_VALUE, before);
    }

    /** Gives back everything, now and from now on. */
    void close() {
        synchronized (this) {
            closed = true;
        }
        release(Long.MAX_VALUE, Long.MAX_VALUE);
    }

    synchronized long held() {
        return held;
    }

    /** {@return when the oldest memory came here; a later moment when there is none} */
    synchronized long oldestSince(long otherwise) {
        return oldest == null ? otherwise : oldest.since;
    }

    synchronized PoolUsage usage() {
        return new PoolUsage("recycled", held, hits, misses);
    }

    private long release(long bytes, long before) {
        List<PooledMemory> gone;
        synchronized (this) {
            gone = oldest(bytes, before);
        }
        long given = 0;
        for (PooledMemory memory : gone) {
            given += memory.bytes();
            memory.release();
        }
        return given;
    }

    /** Takes out the oldest until there are enough bytes; those only that came before a moment, unless that is MAX. */
    private List<PooledMemory> oldest(long bytes, long before) {
        List<PooledMemory> gone = new ArrayList<>();
        for (long found = 0; found < bytes && oldest != null; ) {
            if (before != Long.MAX_VALUE && oldest.since - before > 0) {
                break;
            }
            PooledMemory memory = oldest;
            unlink(memory);
            forgetEmpty(memory.asked);
            gone.add(memory);
            found += memory.bytes();
        }
        return gone;
    }

    private void link(PooledMemory memory) {
        memory.older = youngest;
        if (youngest == null) {
            oldest = memory;
        } else {
            youngest.younger = memory;
        }
        youngest = memory;
        Size size = size(memory.asked);
        if (size == null) {
            size = new Size(memory.asked);
            sizes.put(memory.asked, size);
        }
        memory.olderOfSize = size.youngest;
        if (size.youngest != null) {
            size.youngest.youngerOfSize = memory;
        }
        size.youngest = memory;
        held += memory.bytes();
    }

    private void unlink(PooledMemory memory) {
        if (memory.older == null) {
            oldest = memory.younger;
        } else {
            memory.older.younger = memory.younger;
        }
        if (memory.younger == null) {
            youngest = memory.older;
        } else {
            memory.younger.older = memory.older;
        }
        if (memory.olderOfSize != null) {
            memory.olderOfSize.youngerOfSize = memory.youngerOfSize;
        }
        if (memory.youngerOfSize == null) {
            size(memory.asked).youngest = memory.olderOfSize;
        } else {
            memory.youngerOfSize.olderOfSize = memory.olderOfSize;
        }
        memory.older = null;
        memory.younger = null;
        memory.olderOfSize = null;
        memory.youngerOfSize = null;
        held -= memory.bytes();
    }

    /** A size stays while its memory is out, so that the commonest round makes no garbage. */
    private void forgetEmpty(long asked) {
        Size size = sizes.get(asked);
        if (size != null && size.youngest == null) {
            sizes.remove(asked);
            last = null;
        }
    }

    private Size size(long bytes) {
        Size found = last;
        if (found == null || found.bytes != bytes) {
            found = sizes.get(bytes);
            last = found;
        }
        return found;
    }
}
