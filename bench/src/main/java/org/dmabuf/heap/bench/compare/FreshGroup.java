// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.internal.PlatformDependent;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.bench.BenchBroker;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/** Comparison of the ways to get memory: it is made, filled and freed. */
final class FreshGroup implements Group {
    /** Size of memory that malloc returns to the kernel when it is freed. */
    private static final long RETURNED = 64 * Sizes.MIB;

    private static final long[] SIZES = {4096, 64 << 10, Sizes.MIB, 2 * Sizes.MIB, Sizes.FRAME, 16 * Sizes.MIB, RETURNED
    };
    private static final long POPULATED = 16 * Sizes.MIB;

    private final PooledByteBufAllocator netty = PooledByteBufAllocator.DEFAULT;

    @Override
    public String name() {
        return "fresh";
    }

    @Override
    public String note() {
        return """
                One thread makes memory, fills it by memset and frees it. All memory is zeroed before it is filled,
                except in the last column.

                - `fresh` is a client of the broker: it allocates, maps, fills, closes arena and buffer, and waits until
                  the heap has released the memory. `fresh, source` makes the same calls without the broker.
                - `prewarmed` and `carveout` do not include the work that a thread does ahead of demand. It makes
                  buffers, or clears released ranges. No other contender runs meanwhile.
                - `recycled` and `carveout` buffers are allocated with ExportMode.NONE.
                - `C` makes the same system calls as `fresh, source`, in the same order.
                - `allocateDirect` is freed at once by its cleaner, as Netty does. A program that leaves this to the
                  garbage collector also pays for the collections.
                - `Netty` is PooledByteBufAllocator.DEFAULT.directBuffer; it does not pool buffers above 4 MiB.
                - 12 441 600 bytes are five large folios and 478 small pages. A virtual machine can take long for the
                  first access to a small page through a new mapping. The line of the machine has that time.
                - 64 MiB is not in the chart. From 32 MiB on, malloc returns memory to the kernel, so that Arena,
                  allocateDirect and Netty get 16 384 new small pages. At smaller sizes they reuse memory.""";
    }

    @Override
    public boolean isInChart(Row row) {
        return !row.name().equals(Sizes.name(RETURNED));
    }

    @Override
    public List<Row> measure(Rounds rounds) {
        List<Row> rows = new ArrayList<>();
        for (long size : SIZES) {
            rows.add(measure(rounds, size));
        }
        rows.add(populated(rounds));
        return rows;
    }

    private Row measure(Rounds rounds, long size) {
        int times = Sizes.times(size);
        long pages = Bytes.wholePages(size);
        long region = Math.max(Sizes.MIB, times * pages);
        MemfdSource fresh = memfds();
        HeapRequest request = HeapRequest.of(size);
        HeapRequest unexported = request.withExport(ExportMode.NONE);
        PoolBudget recycling = PoolBudget.none().withRecycled(2 * pages);
        try (BenchBroker broker = new BenchBroker();
                PrewarmedHeap prewarmed = new PrewarmedHeap(size, times);
                MemorySource recycled =
                        PooledSource.over(memfds(), "memfd", Syscalls.linux(), Headroom.machine(), recycling);
                RegionSource carveout = RegionSource.open("carveout", RegionLayout.of(region, "size"))) {
            broker.add("memfd", fresh, Map.of());
            Client client = broker.client("bench");
            AllocationRequest routed = AllocationRequest.of(size).withHeaps("memfd");
            return rounds.run(
                    name(),
                    Sizes.name(size),
                    List.of(
                            Contender.of("fresh", times, () -> brokered(broker, client, routed)),
                            Contender.of("fresh, source", times, () -> life(fresh, request)),
                            Contender.of("prewarmed", times, () -> life(prewarmed.source(), request))
                                    .followedBy(prewarmed::awaitFull),
                            Contender.of("recycled", times, () -> life(recycled, unexported)),
                            Contender.of("carveout", times, () -> life(carveout, unexported))
                                    .followedBy(() -> awaitAllFree(carveout, region)),
                            Contender.ofBatch("C", times, () -> Twin.life(size, times)),
                            Contender.of("Arena.ofConfined", times, () -> arena(size)),
                            Contender.of("allocateDirect", times, () -> direct((int) size)),
                            Contender.of("Netty, zeroed", times, () -> netty((int) size, true)),
                            Contender.of("Netty", times, () -> netty((int) size, false))));
        }
    }

    /** Measures the memory alone, which is not filled, compared with the clearing of as much warm memory. */
    private Row populated(Rounds rounds) {
        MemfdSource fresh = memfds();
        HeapRequest request = HeapRequest.of(POPULATED);
        HeapBuffer warm = fresh.allocate(request);
        MemorySegment kept = warm.map(Access.READ_WRITE);
        try {
            return rounds.run(
                    name(),
                    Sizes.name(POPULATED) + ", made and populated",
                    List.of(
                            new Contender("fresh, source", () -> {
                                long start = System.nanoTime();
                                HeapBuffer buffer = fresh.allocate(request);
                                MemorySegment mapping = buffer.map(Access.READ_WRITE);
                                long end = System.nanoTime();
                                buffer.unmap(mapping);
                                buffer.release();
                                return end - start;
                            }),
                            // The second pass finds the memory warm.
                            Contender.ofBatch("memset of warm memory", 1, () -> Twin.zero(kept, 1))
                                    .preparedBy(() -> Twin.zero(kept, 1))));
        } finally {
            warm.unmap(kept);
            warm.release();
        }
    }

    private static MemfdSource memfds() {
        return MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine());
    }

    private static void life(MemorySource source, HeapRequest request) {
        HeapBuffer buffer = source.allocate(request);
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        Twin.fill(mapping);
        buffer.unmap(mapping);
        buffer.release();
    }

    private static void brokered(BenchBroker broker, Client client, AllocationRequest request) {
        try (DmaBuf buffer = broker.allocate(client, request);
                Arena arena = Arena.ofConfined()) {
            Twin.fill(buffer.map(Access.READ_WRITE, arena));
        }
        broker.settle("memfd");
    }

    private static void awaitAllFree(RegionSource source, long region) {
        while (source.usage().free().orElseThrow() != region) {
            Thread.onSpinWait();
        }
    }

    private static void arena(long size) {
        try (Arena arena = Arena.ofConfined()) {
            Twin.fill(arena.allocate(size));
        }
    }

    private static void direct(int size) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(size);
        Twin.fill(MemorySegment.ofBuffer(buffer));
        PlatformDependent.freeDirectBuffer(buffer);
    }

    private void netty(int size, boolean zeroed) {
        ByteBuf buffer = netty.directBuffer(size, size);
        if (zeroed) {
            buffer.setZero(0, size);
        }
        Twin.fill(MemorySegment.ofBuffer(buffer.internalNioBuffer(0, size)));
        buffer.release();
    }
}
