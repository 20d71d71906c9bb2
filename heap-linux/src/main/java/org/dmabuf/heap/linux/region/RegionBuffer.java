// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Buffer with a range of a region. If it was exported, the region may quarantine the range after the release until the
 * last holder is gone. Descriptors are made under the buffer's monitor.
 */
abstract sealed class RegionBuffer implements HeapBuffer permits RangeBuffer, UnbackedRangeBuffer {
    final Region region;
    final long offset;
    /** Has the names of the client and the buffer, for the map of the region. */
    final HeapRequest request;

    private final long size;
    /** Neighbours in the list of {@link Tenants}, which guards them. */
    RegionBuffer previous;

    RegionBuffer next;
    private HolderWatch watch;
    /**
     * Returns the range when no holder is left. Made before the watch, so that a release cannot fail for lack of
     * memory.
     */
    private Runnable holdersGone;

    private boolean released;

    RegionBuffer(Region region, long offset, long size, HeapRequest request) {
        this.region = region;
        this.offset = offset;
        this.size = size;
        this.request = request;
    }

    @Override
    public final long size() {
        return size;
    }

    /** Throws if the buffer was released, because its range may belong to another buffer. Called under the monitor. */
    final void requireHeld() {
        if (released) {
            throw new IllegalStateException("heap '" + region.heap + "': a buffer of " + Bytes.text(size)
                    + " was released; it no longer has a descriptor, because its memory may belong to another buffer");
        }
    }

    /** Tracks the descriptor before its first export, if the range must wait for its holders. */
    final void track(int fd) {
        if (holdersGone == null) {
            holdersGone = this::leave;
        }
        if (watch == null) {
            watch = region.watch(size, fd);
        }
    }

    /** Closes this process's own descriptors and mappings of the buffer. */
    abstract void drop();

    /** Returns the range, when no holder is left. */
    abstract void end();

    private void leave() {
        region.tenants.remove(this);
        end();
    }

    @Override
    public final void release() {
        synchronized (this) {
            if (released) {
                return; // a second release would free the memory of another buffer
            }
            released = true;
        }
        try {
            drop();
        } finally {
            if (watch == null) {
                leave();
            } else {
                region.quarantine(offset, watch, holdersGone); // may run callbacks that other threads wait for
            }
        }
    }
}
