// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.lang.System.Logger.Level;
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
 * Scrubber of released ranges of one region, which makes them free again. It works in a daemon thread of its own, and
 * in the thread of an allocation that finds no place. What was used is zeroed at once. An unbacked range, whose buffer
 * had memory of its own, is backed after a while: a camera that goes on with the next frame takes such a range as it
 * is, and backing it in between would cost as much as the frame.
 *
 * <p>One block at a time: two at once would share one memory bus. So an allocation that waits for the lock waits for
 * the block that another thread has under way, too.
 */
final class RegionScrubber {
    private static final QuietLog LOG = new QuietLog(RegionScrubber.class);

    /** How long an unbacked range waits for a buffer, and then for the machine when it has no memory. */
    private static final long LATER_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** How long an end waits for a block that is under way; 10 GiB take as long. */
    private static final long PATIENCE_MILLIS = 2000;

    private enum Rest {
        NONE,
        /** Until the oldest unbacked range is due. */
        TIMED,
        /** Until it is woken, or about to be. */
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
    /** Whether it was logged that the machine has no memory, since all ranges had some. Guarded by the lock. */
    private boolean logged;

    /** Whether the list of unbacked ranges had no room for one, so that a dirty block can be unbacked. */
    private volatile boolean dirtyMayBeUnbacked;

    private volatile Rest rest = Rest.NONE;
    private volatile boolean ended;

    /**
     * @param lifetime of the region, which stays as long as a block is under way
     * @param lent offsets of ranges whose pages a former holder may keep; what gets other pages is taken out
     */
    RegionScrubber(
            String heap, RegionLifetime lifetime, RegionAllocator blocks, RegionMemory memory, Set<Long> lent) {
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

    /** To be called when there is something to zero. */
    void wake() {
        if (rest != Rest.NONE) {
            LockSupport.unpark(thread);
        }
    }

    /** Takes over a block that has neither tenant nor pages, to back it later. */
    void backLater(long offset) {
        addUnbacked(offset, blocks.size(offset));
        if (rest == Rest.UNTIMED) { // and not for each, when it comes to look by itself
            LockSupport.unpark(thread);
        }
    }

    private void addUnbacked(long offset, long size) {
        boolean added = false;
        try {
            unbacked.add(offset, size);
            added = true;
        } finally {
            if (!added) { // no memory of Java's for the entry
                dirtyMayBeUnbacked = true;
                blocks.discard(offset);
            }
        }
    }

    /** {@return the offset of an unbacked block of that size, which is the caller's now; -1 when there is none} */
    long takeUnbacked(long size) {
        return unbacked.take(size);
    }

    /** Ends the thread, and waits for the block that it has under way: the region stays until then. */
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
     * Makes free what can be, in the caller's thread, until a search finds a place: all that is to be zeroed, and of
     * the unbacked ranges, which cost more, no more than it takes. The caller has entered the region.
     *
     * @param search gives an offset, or -1
     * @return what the search found, -1 when nothing is left to make free
     * @throws HeapException {@link Errno#EINTR} when the thread was interrupted within a large block, which is taken up
     *     again later
     */
    long drainFor(LongSupplier search) {
        lock.lock();
        try {
            while (zeroNext()) {
                // until there is none
            }
            long offset = search.getAsLong();
            for (int left = unbacked.count(); offset < 0 && left > 0; left--) { // once each: what is refused comes back
                backNext(0);
                offset = search.getAsLong();
            }
            return offset;
        } finally {
            lock.unlock();
        }
    }

    /** {@return whether the thread goes on} */
    private boolean work() {
        if (ended) {
            return false;
        }
        Thread.interrupted(); // there is no reason for one, and it would end the zeroing of a large block each time
        rest = Rest.NONE;
        if (step()) {
            return true;
        }
        rest = Rest.UNTIMED;
        if (!step()) { // what came before a release could see that the thread rests
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
        Thread.interrupted(); // there is no reason for one, and it would keep the next park from waiting
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
     * Gives a dirty block other pages: a former holder can read and write those that it has.
     *
     * @return false when the kernel did not take them: the block stays dirty, and it is tried again later
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

    /** {@return whether there was one of that age, backed or not} */
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
            LOG.write(
                    Level.WARNING,
                    "heap ''{0}'': the machine has no memory to put back behind {1} of the region, which an exported"
                            + " buffer left empty; tried again each second, and when an allocation needs them",
                    heap,
                    Bytes.text(range.size()));
        }
        return true;
    }
}
