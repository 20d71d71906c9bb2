// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.headroom;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Count of one memfd buffer, from the allocation to the end of its last use: its full size in the headroom, and its
 * bytes in large folios in the figure of its source. For the headroom, the number of existing pages would be too low,
 * because a holder of the descriptor can punch holes, which the next access fills again.
 *
 * <p>The buffer holds the count, and so does the tracker of holders while it tracks the descriptor. The memory is
 * therefore counted without a gap between the release of the buffer and the wait for its holders.
 */
public final class HeldMemory {
    /** Counts of buffers with a descriptor, by its number, until the release of the buffer. */
    private static final Map<Integer, HeldMemory> BY_DESCRIPTOR = new ConcurrentHashMap<>();

    private static final int NONE = -1;

    private final Headroom headroom;
    private final long bytes;
    private final AtomicLong allInLargeFolios;
    private final long inLargeFolios;

    // Guarded by this.
    private int holders = 1;
    private volatile int descriptor = NONE;
    private boolean ended;

    /**
     * Begins to count. It must be the last step of making a buffer, because only {@link #end} undoes it.
     *
     * @param headroom counts the memory
     * @param bytes whole pages
     * @param allInLargeFolios bytes of the buffer's source that lie in large folios
     * @param inLargeFolios bytes of the buffer that do
     */
    public HeldMemory(Headroom headroom, long bytes, AtomicLong allInLargeFolios, long inLargeFolios) {
        this.headroom = headroom;
        this.bytes = bytes;
        this.allInLargeFolios = allInLargeFolios;
        this.inLargeFolios = inLargeFolios;
        headroom.hold(bytes);
        allInLargeFolios.addAndGet(inLargeFolios);
    }

    /**
     * Registers this count for the tracker of the descriptor, until {@link #end}.
     *
     * @param fd the buffer's descriptor
     */
    public void showsAs(int fd) {
        if (descriptor == NONE) {
            synchronized (this) {
                if (!ended) {
                    BY_DESCRIPTOR.put(fd, this);
                    descriptor = fd;
                }
            }
        }
    }

    /**
     * Holds the count of the memory behind a descriptor, until {@link #letGo}. The caller must prevent the release of
     * the buffer during the call.
     *
     * @param fd a descriptor of this process
     * @return the count; null for a descriptor that is not of a memfd buffer of this process
     */
    public static HeldMemory of(int fd) {
        HeldMemory memory = BY_DESCRIPTOR.get(fd);
        return memory != null && memory.join() ? memory : null;
    }

    private synchronized boolean join() {
        if (holders == 0) {
            return false;
        }
        holders++;
        return true;
    }

    /** Ends one hold. The end of the last hold ends the count. */
    public synchronized void letGo() {
        if (holders == 1) {
            headroom.release(bytes);
            allInLargeFolios.addAndGet(-inLargeFolios);
        }
        holders--; // last, so that a call that throws can be repeated
    }

    /** Ends the buffer's hold, before its descriptor is closed. A second call does nothing. */
    public void end() {
        if (descriptor != NONE) {
            BY_DESCRIPTOR.remove(descriptor, this);
        }
        synchronized (this) {
            if (!ended) {
                letGo();
                ended = true;
            }
        }
    }
}
