// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.DmaBufName;
import org.dmabuf.heap.linux.machine.PressureStall;
import org.dmabuf.heap.linux.machine.PressureWatch;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Source with two separate pools. Memory that may be exported is <em>prewarmed</em>: a thread makes, seals and
 * populates it ahead of demand, and it is used once. Memory allocated with {@link ExportMode#NONE} is
 * <em>recycled</em>: it was never exported, and is cleared before its next use. Both pools release memory on
 * {@link #trim}, when the machine runs short, after a while without requests, and on {@link #close}.
 *
 * <p>A prewarmed memfd has the heap's name in {@code /proc}, not the name of its request, which comes later.
 */
public final class PooledSource implements MemorySource {
    private static final QuietLog LOG = new QuietLog(PooledSource.class);

    /** Pause of the prewarming after a shortage of memory or a failure of the source. */
    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** Interval of reading the machine's figures, if the kernel does not report shortages. */
    private static final long TICK_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** How long a close waits for a buffer in production. */
    private static final long PATIENCE_MILLIS = 2000;

    private final MemorySource source;
    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;
    private final PressureWatch pressure;
    private final LongSupplier nanoTime;
    private final PrewarmedPool prewarmed;
    private final RecyclePool recycled;
    private final boolean recycles;
    private final boolean named;
    private final long idleNanos;
    private final Headroom.Spare spare = new Headroom.Spare() {
        @Override
        public long held() {
            return PooledSource.this.held();
        }

        @Override
        public long giveBack(long bytes) {
            return trim(bytes);
        }
    };
    private final Thread keeper;
    private volatile boolean closed;
    /** Used only by the keeper thread. */
    private long notBefore;

    /** Used only by the keeper thread. */
    private boolean failing;

    PooledSource(
            MemorySource source,
            String heap,
            Syscalls syscalls,
            Headroom headroom,
            PoolBudget budget,
            PressureWatch pressure,
            LongSupplier nanoTime) {
        this.source = source;
        this.heap = heap;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.pressure = pressure;
        this.nanoTime = nanoTime;
        this.prewarmed = new PrewarmedPool(budget.prewarmed(), nanoTime, pressure::wake);
        this.recycled = new RecyclePool(budget.recycled(), nanoTime.getAsLong());
        this.recycles = budget.recycled() > 0;
        this.named = Boolean.TRUE.equals(source.properties().get(HeapProperties.DMABUF));
        this.idleNanos = budget.idle().toNanos();
        this.notBefore = nanoTime.getAsLong();
        this.keeper = DaemonLoop.thread(
                "dmaheap-pool-" + heap, "heap '" + heap + "': maintaining its pools failed", TICK_NANOS, this::keep);
    }

    /**
     * Adds pools to a source of this machine's memory.
     *
     * @param source makes the memory; closing the returned source also closes it
     * @param heap name of the heap, for refusals
     * @param budget limits of the pools
     * @return the source with pools, or the source itself for a budget without pools
     */
    public static MemorySource over(MemorySource source, String heap, PoolBudget budget) {
        return over(source, heap, Syscalls.linux(), Headroom.machine(), budget);
    }

    /**
     * Adds pools to a source.
     *
     * @param source a source whose memory can be mapped. The returned source owns and closes it; after an exception the
     *     caller does
     * @param heap name of the heap, for refusals
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory; it releases pooled memory before it refuses a request
     * @param budget limits of the pools
     * @return the source with pools; the source itself, without a thread and without cost, for a budget without pools
     * @throws HeapException when no descriptor is left for the thread
     */
    public static MemorySource over(
            MemorySource source, String heap, Syscalls syscalls, Headroom headroom, PoolBudget budget) {
        if (budget.isNone() || Boolean.FALSE.equals(source.properties().get(HeapProperties.MAPPABLE))) {
            return source;
        }
        PressureStall pressure = PressureStall.open(heap, syscalls);
        try {
            Headroom limits = source.limits(headroom);
            return new PooledSource(source, heap, syscalls, limits, budget, pressure, System::nanoTime).start();
        } catch (RuntimeException | Error e) {
            pressure.close();
            throw e;
        }
    }

    PooledSource start() {
        keeper.setContextClassLoader(null);
        keeper.start();
        headroom.add(spare);
        return this;
    }

    @Override
    public Map<String, Object> properties() {
        return source.properties();
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        if (request == null) {
            return source.allocate(null); // throws the source's own exception
        }
        boolean plain = request.alignment() <= Bytes.PAGE;
        if (plain && request.export() == ExportMode.NONE && recycles) {
            return recycled(Bytes.wholePages(request.size()));
        }
        if (plain && request.export() == ExportMode.READ_WRITE) {
            PooledMemory memory = prewarmed.take(Bytes.wholePages(request.size()));
            if (memory != null) {
                return named(memory, request.name());
            }
        }
        return fresh(request);
    }

    private HeapBuffer recycled(long size) {
        PooledMemory memory = recycled.take(size);
        if (memory == null) {
            HeapRequest wanted = HeapRequest.of(size).withExport(ExportMode.NONE);
            memory = retrying(size, () -> PooledMemory.make(source, heap, wanted));
        }
        try {
            return PooledBuffer.recycled(memory, recycled);
        } catch (OutOfMemoryError e) {
            memory.release();
            throw e;
        }
    }

    private HeapBuffer named(PooledMemory memory, Optional<String> name) {
        try {
            if (named && name.isPresent()) {
                DmaBufName.set(syscalls, heap, memory.buffer.descriptor(), memory.bytes, name.get());
            }
            return PooledBuffer.once(memory);
        } catch (RuntimeException | Error e) {
            memory.release();
            throw e;
        }
    }

    private HeapBuffer fresh(HeapRequest request) {
        return retrying(request.size(), () -> source.allocate(request));
    }

    private interface Making<T> {
        T make();
    }

    /** Repeats an allocation after releasing pooled memory, if the kernel had no memory. */
    private <T> T retrying(long size, Making<T> making) {
        try {
            return making.make();
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM || size > held() || trim(size) == 0) {
                throw e;
            }
            return making.make();
        }
    }

    @Override
    public HeapUsage usage() {
        return source.usage().withPool(prewarmed.usage()).withPool(recycled.usage());
    }

    /** Releases recycled memory first, because prewarmed memory is for expected requests. */
    @Override
    public long trim(long bytes) {
        if (bytes <= 0 || Thread.currentThread() == keeper) {
            return 0; // the keeper thread would release the memory that it has just made
        }
        return giveBack(bytes);
    }

    private long giveBack(long bytes) {
        long given = recycled.giveBack(bytes);
        return given < bytes ? given + prewarmed.giveBack(bytes - given) : given;
    }

    private long held() {
        return recycled.held() + prewarmed.held();
    }

    /** Releases all pooled memory. Buffers stay valid, and their memory does not return to a pool. */
    @Override
    public void close() {
        closed = true;
        headroom.remove(spare);
        prewarmed.close();
        recycled.close();
        pressure.wake();
        LockSupport.unpark(keeper); // it may be in a pause after a failure
        if (Thread.currentThread() != keeper) {
            join();
        }
        source.close();
    }

    private void join() {
        try {
            keeper.join(PATIENCE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the keeper releases the buffer in production itself
        }
    }

    /** Runs one step of the keeper thread. {@return whether it goes on} */
    private boolean keep() {
        Thread.interrupted(); // an interrupt has no meaning here, and would fail each large allocation
        if (closed) {
            pressure.close();
            return false;
        }
        long now = nanoTime.getAsLong();
        prewarmed.expire(now - idleNanos);
        recycled.expire(now - idleNanos);
        recycled.tick(now);
        boolean more = refill(now);
        if (pressure.await(wait(nanoTime.getAsLong(), more))) {
            giveBack(Long.MAX_VALUE);
            notBefore = nanoTime.getAsLong() + PAUSE_NANOS;
        } else if (headroom.left() < held() / 2) {
            // Releases the difference, so that the pools keep as much as the machine had left. It begins only when less
            // than half of the pooled memory is left, to avoid oscillation.
            giveBack(Math.max(1, held() - headroom.left()));
            notBefore = nanoTime.getAsLong() + PAUSE_NANOS;
        }
        return true;
    }

    /** {@return whether more is to be made later} */
    private boolean refill(long now) {
        while (!closed) {
            long size = prewarmed.wanted();
            if (size == 0) {
                return false;
            }
            if (notBefore - now > 0) {
                return true;
            }
            if (!make(size)) {
                notBefore = now + PAUSE_NANOS;
            }
        }
        return false;
    }

    private boolean make(long size) {
        if (headroom.left() - size < held() + size) {
            return false; // pools never keep more than the machine has left
        }
        try {
            prewarmed.put(PooledMemory.make(source, heap, HeapRequest.of(size)));
            failing = false;
            return true;
        } catch (RuntimeException | Error e) { // the thread must go on, or the pool would stay empty
            log(e);
        }
        return false;
    }

    private void log(Throwable failure) {
        if (!failing && !closed) {
            failing = true; // logged once, until it succeeds again
            LOG.warn(
                    "heap '{}': making a buffer ahead of demand failed; requests go without it, and it is tried again",
                    heap,
                    failure);
        }
    }

    private long wait(long now, boolean more) {
        long until = idleNanos + Math.min(0, prewarmed.oldestAsked(recycled.oldestSince(now)) - now);
        if (recycles) {
            until = Math.min(until, idleNanos / 4); // interval at which the recycle pool gets the time
        }
        if (more) {
            until = Math.min(until, notBefore - now);
        }
        if (!pressure.isNotified()) {
            until = Math.min(until, TICK_NANOS);
        }
        return Math.max(0, until);
    }
}
