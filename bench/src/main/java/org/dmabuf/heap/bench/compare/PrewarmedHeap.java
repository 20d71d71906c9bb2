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
import org.dmabuf.heap.spi.HeapRequest;

/** Source with a pool that has enough prewarmed buffers for a turn, and makes no other meanwhile. */
final class PrewarmedHeap implements AutoCloseable {
    private static final long PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(200);
    /** The number of pauses without a new buffer after which the pool is not being filled. */
    private static final int IDLE_PAUSES = 10;

    private final MemorySource source;
    private final HeapRequest request;
    private final long full;

    PrewarmedHeap(long size, int times) {
        int count = 2 * times + 2; // it is filled again when half of it is left
        request = HeapRequest.of(size);
        full = count * Bytes.wholePages(size);
        MemfdSource memfds = MemfdSource.open("prewarmed", Syscalls.linux(), Headroom.machine());
        source = PooledSource.over(
                memfds,
                "prewarmed",
                Syscalls.linux(),
                Headroom.machine(),
                PoolBudget.none().withPrewarmed(size, count));
    }

    MemorySource source() {
        return source;
    }

    /** Waits until the pool is full. It takes buffers until the pool notices that some are missing. */
    void fill() {
        long before = -1;
        int pauses = 0;
        for (long ready; (ready = source.usage().pools().getFirst().bytes()) < full; before = ready) {
            pauses = ready == before ? pauses + 1 : 0;
            if (pauses > IDLE_PAUSES) {
                source.allocate(request).release();
                pauses = 0;
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }

    @Override
    public void close() {
        source.close();
    }
}
