// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Buffer that has a range of a region. If its descriptor was exported, the region may keep the range from use after
 * the release, until the last holder has gone. Descriptors are made under its monitor.
 */
abstract sealed class RegionBuffer implements HeapBuffer permits RangeBuffer, UnbackedRangeBuffer {
    final Region region;
    final long offset;
    /** Names the client and the buffer, for the map of the region. */
    final HeapRequest request;

    private final long size;
    /** Neighbours among the tenants, which {@link Tenants} guards. */
    RegionBuffer previous;

    RegionBuffer next;
    private HolderWatch watch;
    /** Ends the tenancy when no holder is left. Made before the watch: a release must not fail for want of it. */
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

    /** Under the monitor. A descriptor of a range that is released may be of another tenant's bytes. */
    final void requireHeld() {
        if (released) {
            throw new IllegalStateException("heap '" + region.heap + "': a buffer of " + Bytes.text(size)
                    + " was released, and its memory may be another's; it has no descriptor any more");
        }
    }

    /** Tracks the descriptor that is about to leave for the first time, where the range is to wait for its holders. */
    final void track(int fd) {
        if (holdersGone == null) {
            holdersGone = this::leave;
        }
        if (watch == null) {
            watch = region.watch(size, fd);
        }
    }

    /** Lets go of this process's own descriptors and mappings. */
    abstract void drop();

    /** Ends the tenancy, when no holder is left for which the range is kept. */
    abstract void end();

    private void leave() {
        region.tenants.remove(this);
        end();
    }

    @Override
    public final void release() {
        synchronized (this) {
            if (released) {
                return; // a second one would free another tenant's memory
            }
            released = true;
        }
        try {
            drop();
        } finally {
            if (watch == null) {
                leave();
            } else {
                region.quarantine(offset, watch, holdersGone); // which may run callbacks that other threads wait for
            }
        }
    }
}
