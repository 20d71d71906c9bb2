// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.concurrent.atomic.AtomicLong;

/**
 * What one heap, known by its name, has out. It outlives the heap, for as long as its memory is used by anybody. Each
 * buffer is charged once: live while this process uses it, then lingering while only peers do.
 */
final class Account {
    /**
     * What is charged at one moment.
     *
     * @param liveBuffers referenced or mapped here
     * @param liveBytes in them
     * @param lingeringBuffers that peers alone hold
     * @param lingeringBytes in them
     */
    record Figures(long liveBuffers, long liveBytes, long lingeringBuffers, long lingeringBytes) {
        static final Figures NONE = new Figures(0, 0, 0, 0);
    }

    // Live and lingering together, so that a buffer that begins to linger changes nothing here.
    private final AtomicLong buffers = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();

    // Guarded by this, which no buffer takes that never left the process.
    private long lingeringBuffers;
    private long lingeringBytes;

    void charge(long size) {
        buffers.incrementAndGet();
        bytes.addAndGet(size);
    }

    void uncharge(long size) {
        bytes.addAndGet(-size);
        buffers.decrementAndGet();
    }

    synchronized void linger(long size) {
        lingeringBuffers++;
        lingeringBytes += size;
    }

    synchronized void unchargeLingering(long size) {
        lingeringBuffers--;
        lingeringBytes -= size;
        uncharge(size);
    }

    /** {@return buffers that are charged, live or lingering} */
    long buffers() {
        return buffers.get();
    }

    /** {@return bytes in them} */
    long bytes() {
        return bytes.get();
    }

    synchronized Figures figures() {
        return new Figures(
                buffers.get() - lingeringBuffers, bytes.get() - lingeringBytes, lingeringBuffers, lingeringBytes);
    }
}
