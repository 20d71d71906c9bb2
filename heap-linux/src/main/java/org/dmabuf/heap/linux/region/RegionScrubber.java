// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Scrubber of one region, which makes released ranges free again. It works in a daemon thread, and in the thread of an
 * allocation that finds no place. It zeroes used ranges at once. It backs an unbacked range, whose buffer had separate
 * memory, only after a while. A camera reuses such a range unchanged for its next frame, and backing it in between
 * would cost as much as the frame.
 *
 * <p>It processes one block at a time, because two would compete for memory bandwidth. An allocation that waits for the
 * lock thus also waits for the block in progress.
 */
final class RegionScrubber {
    private static final QuietLog LOG = new QuietLog(RegionScrubber.class);

    /** How long an unbacked range waits for a buffer, and the interval of retries when the machine has no memory. */
    private static final long LATER_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** How long an end waits for a block in progress, which is enough for 10 GiB. */
    private static final long PATIENCE_MILLIS = 2000;

    private enum Rest {
        NONE,
        /** Rest until the oldest unbacked range is due. */
        TIMED,
        /** Rest until a wake. It is set before the last search for blocks, so that no wake is missed. */
        UNTIMED
    }

    private final String heap;
    private final RegionLifetime lifetime;
    private final RegionAllocator blocks;
    private final RegionMemory memory;
    private final Set<Long> lent;
    private final Thread thread;

    private final ReentrantLock lock = new ReentrantLock(true);
    private final UnbackedRanges unbacked = new UnbackedRanges();
    /** Whether the shortage of memory was logged since all ranges last had pages. Guarded by the lock. */
    private boolean logged;

    /** Whether the list of unbacked ranges had no space for one, so that a dirty block can be unbacked. */
    private volatile boolean dirtyMayBeUnbacked;

    private volatile Rest rest = Rest.NONE;
    private volatile boolean ended;

    /**
     * @param lifetime lifetime of the region, which exists while a block is in progress
     * @param lent offsets of ranges whose pages a former holder may keep; a range with new pages is removed
     */
    RegionScrubber(String heap, RegionLifetime lifetime, RegionAllocator blocks, RegionMemory memory, Set<Long> lent) {
        this.heap = heap;
        this.lifetime = lifetime;
        this.blocks = blocks;
        this.memory = memory;
        this.lent = lent;
        thread = DaemonLoop.thread(
                "dmaheap-zero-" + heap, "heap '" + heap + "': zeroing failed", LATER_NANOS, this::work);
    }

    void start() {
        thread.start();
    }

    /** Wakes the thread after a block became dirty. */
    void wake() {
        if (rest != Rest.NONE) {
            LockSupport.unpark(thread);
        }
    }

    /** Takes over a block without a buffer and pages, to back it later. */
    void backLater(long offset) {
        addUnbacked(offset, blocks.size(offset));
        if (rest == Rest.UNTIMED) { // a timed rest ends by itself
            LockSupport.unpark(thread);
        }
    }

    private void addUnbacked(long offset, long size) {
        boolean added = false;
        try {
            unbacked.add(offset, size);
            added = true;
        } finally {
            if (!added) { // no Java memory for the entry
                dirtyMayBeUnbacked = true;
                blocks.discard(offset);
            }
        }
    }

    /** {@return the offset of an unbacked block of that size, which the caller now owns; -1 if there is none} */
    long takeUnbacked(long size) {
        return unbacked.take(size);
    }

    /** Ends the thread, and waits for its block in progress, during which the region exists. */
    void end() {
        ended = true;
        LockSupport.unpark(thread);
        boolean interrupted = false;
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
        while (thread.isAlive() && System.nanoTime() < deadline) {
            try {
                thread.join(PATIENCE_MILLIS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Frees blocks in the caller's thread until a search finds a place. It zeroes all dirty blocks first, and then
     * backs only as many unbacked ranges as necessary, because they cost more. The caller must have entered the region.
     *
     * @param search returns an offset, or -1
     * @return the offset that the search found, -1 if no block is left to free
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted within a large block, which is
     *     processed again later
     */
    long drainFor(LongSupplier search) {
        lock.lock();
        try {
            while (zeroNext()) {
                // until no dirty block is left
            }
            long offset = search.getAsLong();
            for (int left = unbacked.count(); offset < 0 && left > 0; left--) { // a failed range returns to the queue
                backNext(0);
                offset = search.getAsLong();
            }
            return offset;
        } finally {
            lock.unlock();
        }
    }

    /** Runs one step of the thread. {@return whether it goes on} */
    private boolean work() {
        if (ended) {
            return false;
        }
        Thread.interrupted(); // an interrupt has no meaning here, and would end the zeroing of each large block
        rest = Rest.NONE;
        if (step()) {
            return true;
        }
        rest = Rest.UNTIMED;
        if (!step()) { // finds blocks released before the rest was visible
            sleep(unbacked.dueIn(LATER_NANOS));
        }
        return true;
    }

    private void sleep(long nanos) {
        if (ended) {
            return;
        }
        if (nanos == Long.MAX_VALUE) {
            LockSupport.park(this);
        } else {
            rest = Rest.TIMED;
            LockSupport.parkNanos(this, nanos);
        }
        Thread.interrupted(); // an interrupt has no meaning here, and would end the next park at once
    }

    private boolean step() {
        if (!lifetime.stay()) {
            return false;
        }
        try {
            lock.lock();
            try {
                return zeroNext() || backNext(LATER_NANOS);
            } finally {
                lock.unlock();
            }
        } finally {
            lifetime.leave();
        }
    }

    private boolean zeroNext() {
        long offset = blocks.takeDirty();
        if (offset < 0) {
            return false;
        }
        if (lent.contains(offset)) {
            return replaceNext(offset);
        }
        boolean zero = false;
        try {
            long size = blocks.size(offset);
            if (!dirtyMayBeUnbacked || memory.back(offset, size)) {
                memory.clear(offset, size);
                zero = true;
            }
        } finally {
            if (zero) {
                blocks.free(offset);
            } else {
                blocks.discard(offset);
            }
        }
        return zero;
    }

    /**
     * Replaces the pages of a dirty block, because a former holder can read and write the old ones.
     *
     * @return false if the kernel did not release them; the block stays dirty, and a later step tries again
     */
    private boolean replaceNext(long offset) {
        long size = blocks.size(offset);
        if (memory.unback(offset, size) != 0) {
            blocks.discard(offset);
            return false;
        }
        lent.remove(offset);
        addUnbacked(offset, size);
        backNext(0);
        return true;
    }

    /** {@return whether there was a range of that age, even if backing it failed} */
    private boolean backNext(long age) {
        UnbackedRanges.Range range = unbacked.takeOldest(age);
        if (range == null) {
            return false;
        }
        boolean backed = false;
        try {
            backed = memory.back(range.offset(), range.size());
        } finally {
            if (backed) {
                blocks.free(range.offset());
            } else {
                addUnbacked(range.offset(), range.size());
            }
        }
        if (backed) {
            logged &= unbacked.count() > 0;
        } else if (!logged) {
            logged = true;
            LOG.warn(
                    "heap '{}': the machine has no memory for {} of the region, which an exported buffer left"
                            + " without pages; the attempt is repeated each second, and when an allocation needs them",
                    heap,
                    Bytes.text(range.size()));
        }
        return true;
    }
}
