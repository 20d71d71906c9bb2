// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/** Source with a pool that has enough prewarmed buffers for a turn, and makes others only after it. */
final class PrewarmedHeap implements AutoCloseable {
    private static final long PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

    private final MemorySource source;
    private final long full;

    PrewarmedHeap(long size, int times) {
        int count = 2 * times; // the pool is filled again when half of it is left: after the last buffer of a turn
        full = count * Bytes.wholePages(size);
        MemfdSource memfds = MemfdSource.open("prewarmed", Syscalls.linux(), Headroom.machine());
        source = PooledSource.over(
                memfds,
                "prewarmed",
                Syscalls.linux(),
                Headroom.machine(),
                PoolBudget.none().withPrewarmed(size, count));
        awaitFull();
    }

    MemorySource source() {
        return source;
    }

    /** Waits until the pool is full. */
    void awaitFull() {
        while (source.usage().pools().getFirst().bytes() < full) {
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }

    @Override
    public void close() {
        source.close();
    }
}
