// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import org.dmabuf.heap.spi.HeapBuffer;

/**
 * A buffer that has a range of a region. Who let its descriptor out keeps the range from use after the release until
 * the last peer has gone. Descriptors are made under its monitor.
 */
abstract sealed class RegionBuffer implements HeapBuffer permits Slice, StandIn {
    final Region region;
    final long offset;
    private final long size;
    private PeerWatch watch;
    /** Ends the tenancy when no peer is left. Made with the watch: a release must not fail for want of it. */
    private Runnable peersGone;

    private boolean released;

    RegionBuffer(Region region, long offset, long size) {
        this.region = region;
        this.offset = offset;
        this.size = size;
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

    /** Follows the descriptor that is about to leave for the first time. */
    final void follow(int fd) {
        if (watch == null) {
            peersGone = this::end;
            watch = region.watch(size, fd);
        }
    }

    /** Lets go of this process's own descriptors and mappings. */
    abstract void drop();

    /** Ends the tenancy, when no peer is left. */
    abstract void end();

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
                end();
            } else {
                region.quarantine(offset, watch, peersGone); // which may run what others wait for
            }
        }
    }
}
