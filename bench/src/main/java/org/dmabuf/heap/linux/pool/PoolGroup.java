// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.bench.compare.Contender;
import org.dmabuf.heap.bench.compare.Group;
import org.dmabuf.heap.bench.compare.Rounds;
import org.dmabuf.heap.bench.compare.Row;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/** Comparison of pooled buffers with their references, by {@link PoolRounds}. */
public final class PoolGroup implements Group {
    private static final long RECYCLED = 64 << 10;
    private static final int RECYCLED_TIMES = 128;

    @Override
    public String name() {
        return "pool";
    }

    @Override
    public String note() {
        return """
                `recycled` is the life of a buffer that never leaves the process and is cleared before each use. The
                other rows are the CPU time of the whole process for a buffer's life at a steady pace, including the
                pool's thread, with 16 buffers in the pool or 16 fresh ones in use. `bench/pools` measures more.""";
    }

    @Override
    public List<Row> measure(Rounds rounds) {
        List<Row> rows = new ArrayList<>();
        rows.add(recycled(rounds));
        for (long size : PoolRounds.SIZES) {
            rows.add(cpu(rounds, size));
        }
        return rows;
    }

    private Row recycled(Rounds rounds) {
        PoolBudget budget = PoolBudget.none().withRecycled(2 * RECYCLED);
        try (MemorySource pool = PooledSource.over(memfds(), "memfd", Syscalls.linux(), Headroom.machine(), budget)) {
            HeapRequest request = HeapRequest.of(RECYCLED).withExport(ExportMode.NONE);
            HeapBuffer first = pool.allocate(request); // both clear the same memory, which stays in the pool
            MemorySegment kept = first.map(Access.READ_WRITE);
            first.release();
            return rounds.run(
                    name(),
                    "recycled, " + Bytes.text(RECYCLED),
                    List.of(
                            Contender.of("recycled", RECYCLED_TIMES, () -> PoolRounds.life(pool, request)),
                            Contender.ofBatch("memset", RECYCLED_TIMES, () -> Twin.zero(kept, RECYCLED_TIMES))));
        }
    }

    private Row cpu(Rounds rounds, long size) {
        int lives = PoolRounds.lives(size);
        MemfdSource memfds = memfds();
        long pace = PoolRounds.pace(memfds, size);
        PoolBudget budget = PoolBudget.none().withPrewarmed(size, PoolRounds.POOL);
        try (MemorySource pool = PooledSource.over(memfds, "memfd", Syscalls.linux(), Headroom.machine(), budget)) {
            return rounds.run(
                    name(),
                    "CPU time, " + Bytes.text(size),
                    List.of(
                            new Contender(
                                            "prewarmed",
                                            () -> PoolRounds.cpu(pool, size, lives, 1, pace, new ArrayList<>()))
                                    .preparedBy(() -> PoolRounds.full(pool, size)),
                            new Contender(
                                    "fresh",
                                    () -> PoolRounds.cpu(
                                            memfds, size, lives, PoolRounds.POOL, pace, new ArrayList<>()))));
        }
    }

    private static MemfdSource memfds() {
        return MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine());
    }
}
