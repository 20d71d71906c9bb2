// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;

/**
 * A region of memory that is taken when it opens, and handed out in ranges: an allocation is no system call, and finds
 * what was set aside for it however full the machine is. What is released is zeroed in the background before it is
 * handed out again, and what a peer may still see waits until the last peer has gone.
 *
 * <p>An exported buffer is a dma-buf of its range where this process may use {@value UdmabufSource#DEVICE}. Elsewhere
 * each buffer that may be exported has a memfd of its own, and its range stays empty: on ordinary pages the range's
 * memory is given back to the machine meanwhile, and can be lost to others; on huge pages it is held twice. Such
 * buffers are on ordinary pages wherever the region is, so it is then announced as no better.
 *
 * <p>On pages of 4 KiB the region is locked in memory where the process may lock as much; see {@link #swappable}. On a
 * kernel whose holders can keep pages of a dma-buf unseen, before 6.11, an exported range gets other pages before it is
 * handed out again, and no dma-buf is made of huge pages.
 *
 * <p>The region lives until it was closed and the last buffer was released, its last peer gone.
 */
public final class RegionSource implements MemorySource, RegionMap {
    private final Region region;
    private final RequestCheck check;

    /** Makes the memory of buffers that may be exported; null where the region's own can be. */
    private final MemfdSource own;

    private final String passedOver;

    private RegionSource(Region region, MemfdSource own, String passedOver) {
        this.region = region;
        this.own = own;
        this.passedOver = passedOver;
        this.check = new RequestCheck(region.heap, whyNoReadOnlyExport(own), alignment(region));
    }

    private static String whyNoReadOnlyExport(MemfdSource own) {
        if (own == null) {
            return UdmabufSource.WHY_NOT_READ_ONLY;
        }
        return Boolean.TRUE.equals(own.properties().get(HeapProperties.EXPORT_READONLY))
                ? ""
                : "this kernel is too old to keep anybody from writing";
    }

    /** A physical one: within a page, offsets are aligned as addresses are. */
    private static long alignment(Region region) {
        return Math.min(region.run(), Long.highestOneBit(region.layout.size()));
    }

    /**
     * Takes the memory, all of it, and finds out how it can be exported.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param layout what the region is to be
     * @param syscalls the kernel
     * @param headroom what the machine has left
     * @return a source, to be closed
     * @throws HeapException with nothing held: {@link Errno#ENOMEM} with what is missing, {@link Errno#EINVAL} for a
     *     layout that cannot be, any other as the kernel has it
     */
    public static RegionSource open(String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom) {
        return open(heap, layout, syscalls, headroom, HugePages.ofTheMachine());
    }

    static RegionSource open(
            String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom, HugePages hugePages) {
        return open(heap, layout, syscalls, headroom, hugePages, Peers::new);
    }

    static RegionSource open(
            String heap,
            RegionLayout layout,
            Syscalls syscalls,
            Headroom headroom,
            HugePages hugePages,
            Supplier<Peers> following) {
        if (layout.chunk() < Bytes.PAGE || Long.bitCount(layout.chunk()) != 1) {
            throw new HeapException(
                    Errno.EINVAL,
                    heap,
                    "heap '" + heap + "': a chunk of " + layout.chunk()
                            + " bytes is not a power of two of at least a page, " + Bytes.PAGE);
        }
        RegionAllocator blocks = new RegionAllocator(heap, layout.size(), layout.granule());
        RegionMemory memory = RegionMemory.reserve(heap, layout, syscalls, headroom, hugePages);
        Peers peers = following.get();
        Udmabuf udmabuf = null;
        boolean lending = false;
        boolean opened = false;
        try {
            MemfdSource own = null;
            String passedOver = "";
            if (layout.exports() != RegionLayout.Exports.MEMFD) {
                try {
                    udmabuf = Udmabuf.open(heap, syscalls, Path.of(UdmabufSource.SIZE_LIMIT));
                    lending = lendsPages(heap, layout, syscalls, memory, peers, udmabuf);
                } catch (HeapException e) {
                    if (layout.exports() == RegionLayout.Exports.UDMABUF || e.errno().isOfTheMoment()) {
                        throw e;
                    }
                    passedOver = e.getMessage();
                    if (udmabuf != null) {
                        udmabuf.close();
                        udmabuf = null;
                    }
                }
            }
            if (udmabuf == null) {
                own = MemfdSource.open(heap, syscalls, headroom);
                probeWatch(heap, own, peers);
            }
            Region region = new Region(heap, layout, syscalls, memory, blocks, peers, udmabuf, lending);
            RegionSource source = new RegionSource(region, own, passedOver);
            opened = true;
            return source;
        } finally {
            if (!opened) {
                peers.close();
                if (udmabuf != null) {
                    udmabuf.close();
                }
                memory.close();
            }
        }
    }

    /**
     * Tries on one page, within a huge one where there are, what a buffer will need: a dma-buf, its brackets, and to be
     * told when nobody has it any more.
     *
     * @return whether its holders can keep pages unseen
     * @throws HeapException where something does not work, or where huge pages could be kept, which cannot be replaced
     */
    private static boolean lendsPages(
            String heap, RegionLayout layout, Syscalls syscalls, RegionMemory memory, Peers peers, Udmabuf udmabuf) {
        int dmaBuf = udmabuf.create(memory.fd(), layout.size() - Bytes.PAGE, Bytes.PAGE, heap);
        try (PeerWatch _ = peers.watch(heap, Bytes.PAGE, dmaBuf)) {
            new Brackets(syscalls, heap, Bytes.PAGE, false).prepare(dmaBuf);
            boolean lending = udmabuf.lendsPages(dmaBuf);
            if (lending && layout.isOnHugePages()) {
                throw new HeapException(
                        Errno.ENOTSUP,
                        heap,
                        "heap '" + heap + "': a holder of a dma-buf of huge pages could read the buffer that has its"
                                + " range next, since this kernel lets it keep the pages in a pipe; take Linux 6.11 or"
                                + " later, or pages of 4 KiB");
            }
            return lending;
        } finally {
            syscalls.close(dmaBuf);
        }
    }

    private static void probeWatch(String heap, MemfdSource own, Peers peers) {
        HeapBuffer page = own.probe();
        try (PeerWatch _ = peers.watch(heap, Bytes.PAGE, page.descriptor())) {
            // It can be followed, and what that takes is there from now on.
        } finally {
            page.release();
        }
    }

    /** {@return why exported buffers are no dma-bufs though that was wanted, empty when they are, or it was not} */
    public String passedOver() {
        return passedOver;
    }

    /** {@return why the region's memory can be swapped out, with the remedy; empty when it cannot} */
    public String swappable() {
        return region.memory.swappable();
    }

    @Override
    public Map<String, Object> properties() {
        Map<String, Object> properties = new HashMap<>();
        properties.put(HeapProperties.BACKEND, own == null ? "udmabuf" : "memfd");
        properties.put(HeapProperties.DMABUF, own == null);
        properties.put(HeapProperties.CONTIGUOUS_MAX, region.run());
        properties.put(HeapProperties.ALIGNMENT, alignment(region));
        properties.put(HeapProperties.EXPORT_READONLY, check.grantsReadOnlyExport());
        if (region.run() >= region.layout.size()) {
            properties.put(HeapProperties.CONTIGUOUS, true);
        } else if (region.layout.emulatesContiguous()) {
            properties.put(HeapProperties.EMULATES, List.of("contiguous"));
        }
        return Map.copyOf(properties);
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        long size = Math.min(check.wholePages(request), Long.MAX_VALUE / 2); // still more than any region has
        size = size + region.layout.chunk() - 1 & -region.layout.chunk();
        if (!request.exportable()) {
            return new Slice(region, region.take(size, request.alignment(), request.size()), size, false, "");
        }
        if (own != null) {
            return standIn(request, size);
        }
        region.udmabuf().requireWithinLimit(size);
        String name = request.name().isEmpty() ? region.heap : request.name();
        return new Slice(region, region.take(size, request.alignment(), request.size()), size, true, name);
    }

    private HeapBuffer standIn(HeapRequest request, long size) {
        long offset = region.takeEmpty(size, request.size()); // first, else there may be no room for both
        HeapBuffer made = null;
        try {
            made = own.allocate(request, size);
            return new StandIn(region, offset, made);
        } finally {
            if (made == null) {
                region.leaveEmpty(offset);
            }
        }
    }

    /**
     * {@inheritDoc}
     *
     * <p>The largest free run is the region's, which a buffer can have that is not to be exported. The machine's limit
     * on one dma-buf, {@code udmabuf.size_limit_mb}, is no part of it.
     */
    @Override
    public HeapUsage usage() {
        RegionAllocator.Figures now = region.blocks().figures(region.run());
        return HeapUsage.unknown()
                .withCapacity(now.size())
                .withFree(now.free())
                .withLargestFree(now.largestFree())
                .withQuarantined(now.quarantined())
                .withFragmentation(now.fragmentation());
    }

    @Override
    public long size() {
        return region.layout.size();
    }

    @Override
    public void forEachStretch(Visitor visitor) {
        region.blocks().forEachBlock((offset, size, state) -> visitor.stretch(offset, size, switch (state) {
            case FREE -> State.FREE;
            case ALLOCATED -> State.USED;
            case QUARANTINED -> State.QUARANTINED;
            case DIRTY, ZEROING -> State.DIRTY;
        }));
    }

    /** Ends the thread that zeroes. The memory goes with the last buffer and its last peer. */
    @Override
    public void close() {
        region.close();
    }
}
