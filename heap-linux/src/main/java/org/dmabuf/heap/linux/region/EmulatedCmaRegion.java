// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.DmaBufSync;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.Udmabuf;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Region that has memory only where it has buffers, which it places like the kernel's CMA. Released memory returns to
 * the machine at once. A holder of a dma-buf of the range keeps its pages, which no longer belong to the region. The
 * range can be reused at once with other pages.
 */
final class EmulatedCmaRegion extends Region {
    private static final QuietLog LOG = new QuietLog(EmulatedCmaRegion.class);

    private final Headroom headroom;

    private EmulatedCmaRegion(
            String heap,
            RegionLayout layout,
            Syscalls syscalls,
            Headroom headroom,
            RegionMemory memory,
            RegionAllocator blocks) {
        super(heap, layout, syscalls, memory, blocks, null);
        this.headroom = headroom;
    }

    /**
     * Makes a region without memory.
     *
     * @throws HeapException with nothing held; {@link Errno#EINVAL} for an invalid layout, or any other error of the
     *     kernel
     */
    static EmulatedCmaRegion open(String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom) {
        layout.requireEmulatable(heap);
        RegionAllocator blocks = new RegionAllocator(heap, layout.size(), Bytes.PAGE);
        RegionMemory memory = RegionMemory.unbacked(heap, layout, syscalls, headroom);
        try {
            return new EmulatedCmaRegion(heap, layout, syscalls, headroom, memory, blocks);
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    @Override
    void tryOut(Udmabuf device) {
        // One page, not reserved in the headroom: a present shortage does not mean that udmabuf is missing.
        long page = place(Bytes.PAGE, Bytes.PAGE);
        try {
            memory.hold(Bytes.PAGE);
            fill(page, Bytes.PAGE);
            int dmaBuf = device.create(memory.fd(), page, Bytes.PAGE, heap);
            try {
                new DmaBufSync(syscalls, heap, Bytes.PAGE, false).prepare(dmaBuf);
            } finally {
                syscalls.close(dmaBuf);
            }
        } finally {
            giveBack(page);
        }
    }

    /** Takes a range whose pages exist, so that accesses cannot fail. */
    @Override
    long take(HeapRequest request, long size) {
        long offset = place(size, request.alignment());
        boolean reserved = false;
        boolean filled = false;
        try {
            headroom.reserve(heap, size);
            reserved = true;
            fill(offset, size);
            filled = true;
            return offset;
        } finally {
            if (reserved) {
                memory.hold(size);
                headroom.settle(size);
            }
            if (!reserved) {
                giveBackUnbacked(offset);
            } else if (!filled) {
                giveBack(offset); // a part of it may have pages
            }
        }
    }

    @Override
    long takeUnbacked(HeapRequest request, long size) {
        return place(size, request.alignment());
    }

    private long place(long size, long alignment) {
        enter();
        long offset = -1;
        try {
            long aligned = Math.max(alignment, RegionAllocator.alignment(size, layout.alignmentCap()));
            offset = blocks.allocate(size, aligned);
            if (offset < 0 && giveBackAgain()) {
                offset = blocks.allocate(size, aligned);
            }
            if (offset < 0) {
                throw full(size, aligned);
            }
            return offset;
        } finally {
            if (offset < 0) {
                lifetime.leave();
            }
        }
    }

    private HeapException full(long size, long alignment) {
        RegionAllocator.Figures now = blocks.figures(layout.alignmentCap());
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                Bytes.text(size) + " in one piece, aligned to " + Bytes.text(alignment)
                        + ", does not fit: " + Bytes.text(now.free()) + " free, largest run "
                        + Bytes.text(now.largestFree())
                        + (now.dirty() == 0 ? "" : ", " + Bytes.text(now.dirty()) + " whose release failed")
                        + "; raise " + layout.setting() + " or close a buffer");
    }

    private void fill(long offset, long size) {
        if (!memory.fill(offset, size)) {
            throw HeapException.of(
                    Errno.ENOMEM,
                    heap,
                    "the machine has no memory for " + Bytes.text(size) + "; " + KernelError.remedyForMemory());
        }
    }

    /** Releases the pages of a range. If the kernel refuses, the range waits and is not reused before. */
    @Override
    void giveBack(long offset) {
        long size = blocks.size(offset);
        int result = memory.unback(offset, size);
        if (result == 0) {
            blocks.free(offset);
        } else {
            blocks.discard(offset);
            LOG.warn(
                    "heap '{}': releasing {} of the region failed ({}); the release is repeated when an allocation"
                            + " needs them",
                    heap,
                    Bytes.text(size),
                    Errno.of(-result));
        }
        lifetime.leave();
    }

    /** Repeats failed releases. {@return whether a part of that memory is free now} */
    private boolean giveBackAgain() {
        boolean some = false;
        for (long offset = blocks.takeDirty(); offset >= 0; offset = blocks.takeDirty()) {
            if (memory.unback(offset, blocks.size(offset)) != 0) {
                blocks.discard(offset);
                return some;
            }
            blocks.free(offset);
            some = true;
        }
        return some;
    }

    @Override
    void giveBackUnbacked(long offset) {
        blocks.free(offset);
        lifetime.leave();
    }
}
