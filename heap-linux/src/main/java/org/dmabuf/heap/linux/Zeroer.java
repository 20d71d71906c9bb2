// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Zeroes what was released of one region, in a daemon thread of its own, and in the thread of an allocation that has
 * nothing left to take. One block at a time: two at once would share one memory bus, and who waits for the lock also
 * waits for the block that somebody else has under way.
 */
final class Zeroer {
    private static final System.Logger LOG = System.getLogger(Zeroer.class.getName());
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final String heap;
    private final Region region;
    private final RegionAllocator blocks;
    private final RegionMemory memory;
    private final Thread thread;

    private final ReentrantLock lock = new ReentrantLock(true);
    /** Blocks that the machine had no pages for. Guarded by the lock. */
    private final Deque<Long> refused = new ArrayDeque<>();
    /** Whether that was told. Guarded by the lock. */
    private boolean told;

    private volatile boolean idle;
    private volatile boolean ended;

    Zeroer(String heap, Region region, RegionAllocator blocks, RegionMemory memory) {
        this.heap = heap;
        this.region = region;
        this.blocks = blocks;
        this.memory = memory;
        thread = Thread.ofPlatform()
                .name("dmaheap-zero-" + heap)
                .daemon()
                .inheritInheritableThreadLocals(false) // else it keeps the class loader of whoever configures heaps
                .unstarted(this::work);
    }

    void start() {
        thread.start();
    }

    /** Says that there is something to zero. */
    void wake() {
        if (idle) {
            LockSupport.unpark(thread);
        }
    }

    /** Ends the thread, after the block that it has under way. */
    void end() {
        ended = true;
        LockSupport.unpark(thread);
    }

    /** Zeroes all that waits for it, in the caller's thread. The caller holds the region. */
    void drain() {
        lock.lock();
        try {
            retry();
            while (next()) {
                // until there is none
            }
        } finally {
            lock.unlock();
        }
    }

    private void work() {
        while (!ended) {
            boolean more = false;
            try {
                more = step();
                if (!more) {
                    idle = true;
                    more = step(); // what was released before it could be seen that nobody works
                }
            } catch (Throwable e) { // nobody else would
                LOG.log(Level.ERROR, "heap '" + heap + "': zeroing failed; it goes on", e);
            }
            if (!more && !ended) {
                park();
            }
            idle = false;
        }
    }

    private void park() {
        boolean waits;
        lock.lock();
        try {
            waits = !refused.isEmpty();
        } finally {
            lock.unlock();
        }
        if (waits) {
            LockSupport.parkNanos(this, RETRY_NANOS);
        } else {
            LockSupport.park(this);
        }
        Thread.interrupted(); // nobody has reason to, and it would keep the next park from waiting
        lock.lock();
        try {
            retry();
        } finally {
            lock.unlock();
        }
    }

    private boolean step() {
        if (!region.tryHold()) {
            return false;
        }
        try {
            lock.lock();
            try {
                return next();
            } finally {
                lock.unlock();
            }
        } finally {
            region.leave();
        }
    }

    private boolean next() {
        long offset = blocks.takeDirty();
        if (offset < 0) {
            return false;
        }
        long size = blocks.size(offset);
        boolean hollow = memory.isHollow(offset);
        boolean clear = false;
        try {
            clear = memory.clear(offset, size);
        } finally {
            if (clear) {
                blocks.free(offset);
                told &= !hollow;
            } else {
                refused.add(offset);
            }
        }
        if (!clear && !told) {
            told = true;
            LOG.log(
                    Level.WARNING,
                    "heap ''{0}'': the machine has no memory to put back behind {1} of the region, for which an"
                            + " exported buffer had other memory; tried again each second, and when an allocation"
                            + " needs them",
                    heap,
                    Bytes.text(size));
        }
        return true;
    }

    private void retry() {
        for (Long offset = refused.poll(); offset != null; offset = refused.poll()) {
            blocks.discard(offset);
        }
    }
}
