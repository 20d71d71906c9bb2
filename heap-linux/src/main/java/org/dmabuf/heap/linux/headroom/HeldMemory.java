// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.headroom;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Memory of one memfd buffer as the headroom counts it: in full, from the making of the buffer to the end of its last
 * use. A holder of the descriptor can punch holes, which the next touch fills again, so what lies in memory at the
 * moment is too low a figure.
 *
 * <p>The buffer keeps the count, and so does the tracker of holders while it tracks the descriptor. So there is no
 * moment between the release of the buffer and the wait for its holders at which the memory is not counted.
 */
public final class HeldMemory {
    /** Of buffers whose descriptor was asked for, by its number, until the buffer is released. */
    private static final Map<Integer, HeldMemory> BY_DESCRIPTOR = new ConcurrentHashMap<>();

    private static final int NONE = -1;

    private final Headroom headroom;
    private final long bytes;

    // Guarded by this.
    private int holders = 1;
    private volatile int descriptor = NONE;
    private boolean ended;

    /**
     * Begins to count. It is the last step of what makes a buffer: only {@link #end} undoes it.
     *
     * @param headroom counts the memory
     * @param bytes whole pages
     */
    public HeldMemory(Headroom headroom, long bytes) {
        this.headroom = headroom;
        this.bytes = bytes;
        headroom.hold(bytes);
    }

    /**
     * Lets the descriptor's tracker find this, until {@link #end}.
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
     * Holds the memory behind a descriptor, until {@link #letGo}. The caller keeps the buffer from being released
     * meanwhile.
     *
     * @param fd a descriptor of this process
     * @return null when it is no memfd of a buffer that was made here
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

    /** Ends one hold. The last one ends the count. */
    public synchronized void letGo() {
        if (holders == 1) {
            headroom.release(bytes);
        }
        holders--; // last: a call that throws can be repeated
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
