// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.linux.kernel.DmaBufSync;
import org.dmabuf.heap.linux.source.HeapRefusal;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Buffer in a range of a region. Allocating, mapping and releasing it need no system call. The first call for a
 * descriptor makes a dma-buf of the range, which does not expose neighbouring ranges.
 */
final class RangeBuffer extends RegionBuffer {
    private static final int NONE = -1;

    private volatile DmaBufSync sync;
    private volatile int dmaBuf = NONE;

    RangeBuffer(Region region, long offset, long size, HeapRequest request) {
        super(region, offset, size, request);
    }

    @Override
    public int descriptor() {
        if (request.export() == ExportMode.NONE) {
            throw HeapRefusal.notExportable(region.heap, size());
        }
        int fd = dmaBuf;
        return fd == NONE ? export() : fd;
    }

    private synchronized int export() {
        requireHeld();
        if (dmaBuf == NONE) {
            int made = region.export(offset, size(), request.name().orElse(region.heap));
            boolean tracked = false;
            try {
                DmaBufSync first = new DmaBufSync(region.syscalls, region.heap, size(), false);
                first.prepare(made); // otherwise a holder of the descriptor could make the first access concurrently
                track(made);
                tracked = true;
                sync = first;
                dmaBuf = made;
            } finally {
                if (!tracked) {
                    region.syscalls.close(made);
                }
            }
        }
        return dmaBuf;
    }

    @Override
    public MemorySegment map(Access access) {
        return region.memory.slice(offset, size());
    }

    @Override
    public void unmap(MemorySegment mapping) {
        // Nothing to do: the region's own mapping stays.
    }

    /** Does nothing before the export, because no device can access the range. */
    @Override
    public void beginCpuAccess(Access access) {
        int fd = dmaBuf;
        if (fd != NONE) {
            sync.begin(fd, access);
        }
    }

    @Override
    public void endCpuAccess(Access access) {
        int fd = dmaBuf;
        if (fd != NONE) {
            sync.end(fd, access);
        }
    }

    @Override
    void drop() {
        int fd = dmaBuf;
        if (fd != NONE) {
            dmaBuf = NONE; // the number may soon belong to another file
            region.syscalls.close(fd);
        }
    }

    @Override
    void end() {
        region.giveBack(offset);
    }
}
