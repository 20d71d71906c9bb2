// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * Makes free again what was released of one region, in a daemon thread of its own, and in the thread of an allocation
 * that has nothing left to take. What was used is zeroed at once. What has no pages, since its buffer had memory of its
 * own, gets them after a while: a camera that goes on with the next frame takes such a range as it is, and filling it
 * for nobody costs as much as the frame.
 *
 * <p>One block at a time: two at once would share one memory bus, and who waits for the lock also waits for the block
 * that somebody else has under way.
 */
final class Zeroer {
    private static final QuietLog LOG = new QuietLog(Zeroer.class);

    /** How long a hollow block waits for a buffer, and then for the machine when it has no memory. */
    private static final long LATER_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** How long an end waits for a block that is under way; 10 GiB take as long. */
    private static final long PATIENCE_MILLIS = 2000;

    private enum Rest {
        NONE,
        /** Until the oldest hollow block is due. */
        TIMED,
        /** Until it is woken, or about to be. */
        UNTIMED
    }

    private final String heap;
    private final Region region;
    private final RegionAllocator blocks;
    private final RegionMemory memory;
    private final Thread thread;

    private final ReentrantLock lock = new ReentrantLock(true);
    private final HollowBlocks hollow = new HollowBlocks();
    /** Whether it was told that the machine has no memory, since all had. Guarded by the lock. */
    private boolean told;

    /** Whether there was no room in the list of hollow blocks for one, so that a dirty one can be hollow. */
    private volatile boolean dirtyMayBeHollow;

    private volatile Rest rest = Rest.NONE;
    private volatile boolean ended;

    Zeroer(String heap, Region region, RegionAllocator blocks, RegionMemory memory) {
        this.heap = heap;
        this.region = region;
        this.blocks = blocks;
        this.memory = memory;
        thread = DaemonLoop.thread(
                "dmaheap-zero-" + heap, "heap '" + heap + "': zeroing failed", LATER_NANOS, this::work);
    }

    void start() {
        thread.start();
    }

    /** Says that there is something to zero. */
    void wake() {
        if (rest != Rest.NONE) {
            LockSupport.unpark(thread);
        }
    }

    /** Takes over a block that is nobody's and has no pages, to fill it later. */
    void fillLater(long offset) {
        addHollow(offset, blocks.size(offset));
        if (rest == Rest.UNTIMED) { // and not for each, when it comes to look by itself
            LockSupport.unpark(thread);
        }
    }

    private void addHollow(long offset, long size) {
        boolean added = false;
        try {
            hollow.add(offset, size);
            added = true;
        } finally {
            if (!added) { // no memory of Java's for the entry
                dirtyMayBeHollow = true;
                blocks.discard(offset);
            }
        }
    }

    /** {@return the offset of a block of that size without pages, which is the caller's now; -1 when there is none} */
    long takeHollow(long size) {
        return hollow.take(size);
    }

    /** Ends the thread, and waits for the block that it has under way: it holds the region until then. */
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
     * the hollow blocks, which cost more, no more than it takes. The caller holds the region.
     *
     * @param search gives an offset, or -1
     * @return what the search found, -1 when nothing is left to make free
     */
    long drainFor(LongSupplier search) {
        lock.lock();
        try {
            while (zeroNext()) {
                // until there is none
            }
            long offset = search.getAsLong();
            for (int left = hollow.count(); offset < 0 && left > 0; left--) { // once each: what is refused comes back
                fillNext(0);
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
        rest = Rest.NONE;
        if (step()) {
            return true;
        }
        rest = Rest.UNTIMED;
        if (!step()) { // what came before a release could see that the thread rests
            sleep(hollow.dueIn(LATER_NANOS));
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
        Thread.interrupted(); // nobody has reason to, and it would keep the next park from waiting
    }

    private boolean step() {
        if (!region.tryHold()) {
            return false;
        }
        try {
            lock.lock();
            try {
                return zeroNext() || fillNext(LATER_NANOS);
            } finally {
                lock.unlock();
            }
        } finally {
            region.leave();
        }
    }

    private boolean zeroNext() {
        long offset = blocks.takeDirty();
        if (offset < 0) {
            return false;
        }
        if (region.isLent(offset)) {
            return replaceNext(offset);
        }
        boolean zero = false;
        try {
            long size = blocks.size(offset);
            if (!dirtyMayBeHollow || memory.fill(offset, size)) {
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
        if (!memory.hollow(offset, size)) {
            blocks.discard(offset);
            return false;
        }
        region.unlend(offset);
        addHollow(offset, size);
        fillNext(0);
        return true;
    }

    /** {@return whether there was one of that age, filled or not} */
    private boolean fillNext(long age) {
        HollowBlocks.Block block = hollow.takeOldest(age);
        if (block == null) {
            return false;
        }
        boolean filled = false;
        try {
            filled = memory.fill(block.offset(), block.size());
        } finally {
            if (filled) {
                blocks.free(block.offset());
            } else {
                addHollow(block.offset(), block.size());
            }
        }
        if (filled) {
            told &= hollow.count() > 0;
        } else if (!told) {
            told = true;
            LOG.write(
                    Level.WARNING,
                    "heap ''{0}'': the machine has no memory to put back behind {1} of the region, which an exported"
                            + " buffer left empty; tried again each second, and when an allocation needs them",
                    heap,
                    Bytes.text(block.size()));
        }
        return true;
    }
}
