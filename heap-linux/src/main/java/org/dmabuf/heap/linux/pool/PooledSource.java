// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.System.Logger.Level;
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
 * Source with memory kept for speed, in two pools that are never mixed. What may be exported is <em>prewarmed</em>:
 * made, sealed and populated by a thread ahead of demand, and used once. What was allocated with
 * {@link ExportMode#NONE} is <em>recycled</em>: it never left the process, and is cleared before its next use. Both
 * are given back on {@link #trim}, when the machine runs short, without requests for a while, and on {@link #close}.
 *
 * <p>A prewarmed memfd has the heap's name in {@code /proc} and not that of its request, which came later.
 */
public final class PooledSource implements MemorySource {
    private static final QuietLog LOG = new QuietLog(PooledSource.class);

    /** How long nothing is made ahead after memory ran short, or after the source failed. */
    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** How often the machine's figures are looked at where the kernel does not report by itself. */
    private static final long TICK_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** How long a close waits for the buffer that is being made. */
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
    /** Only the keeper's. */
    private long notBefore;

    /** Only the keeper's. */
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
                "dmaheap-pool-" + heap, "heap '" + heap + "': the upkeep of its pools failed", TICK_NANOS, this::keep);
    }

    /**
     * Puts pools over a source of this machine's memory.
     *
     * @param source makes the memory; closed with what is returned
     * @param heap name of the heap, for refusals
     * @param budget what the pools may keep
     * @return the source with pools, or the source itself where there is nothing to pool
     */
    public static MemorySource over(MemorySource source, String heap, PoolBudget budget) {
        return over(source, heap, Syscalls.linux(), Headroom.machine(), budget);
    }

    /**
     * Gives a source pools.
     *
     * @param source the returned one's when the call returns, which closes it; the caller's when it throws. Its memory
     *     can be mapped
     * @param heap name of the heap, for refusals
     * @param syscalls the kernel
     * @param headroom what the machine has left; what pools keep is given back before it refuses a request
     * @param budget how much may be kept
     * @return the source itself for a budget of nothing: then there is no thread and no cost
     * @throws HeapException when the process has no descriptor left for the thread
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
            return source.allocate(null); // which refuses it
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

    /** A kernel that has no memory left may have it once the pools' is given back. */
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

    /** What was recycled goes first: what was made ahead is awaited. */
    @Override
    public long trim(long bytes) {
        if (bytes <= 0 || Thread.currentThread() == keeper) {
            return 0; // the keeper, which makes memory, would give back what it made to make more
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

    /** Gives back what is kept. Buffers live on, and their memory is not kept any more. */
    @Override
    public void close() {
        closed = true;
        headroom.remove(spare);
        prewarmed.close();
        recycled.close();
        pressure.wake();
        LockSupport.unpark(keeper); // it may pause after a failure
        if (Thread.currentThread() != keeper) {
            join();
        }
        source.close();
    }

    private void join() {
        try {
            keeper.join(PATIENCE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // what it makes it releases by itself
        }
    }

    /** {@return whether the keeper goes on} */
    private boolean keep() {
        Thread.interrupted(); // there is no reason for one, and it would end the making of each large buffer
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
            // Until as much is left as is kept; down to the half, or it would go up and down.
            giveBack(Math.max(1, held() - headroom.left()));
            notBefore = nanoTime.getAsLong() + PAUSE_NANOS;
        }
        return true;
    }

    /** {@return whether there is more to make, later} */
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
            return false; // pools keep no more than they leave
        }
        try {
            prewarmed.put(PooledMemory.make(source, heap, HeapRequest.of(size)));
            failing = false;
            return true;
        } catch (RuntimeException | Error e) { // a thread that ended would leave the pool empty for good
            log(e);
        }
        return false;
    }

    private void log(Throwable failure) {
        if (!failing && !closed) {
            failing = true; // once, until it is well again
            LOG.failure(
                    Level.WARNING,
                    "heap '" + heap + "' could not make a buffer ahead of demand; requests are served one by one, and"
                            + " it is tried again",
                    failure);
        }
    }

    private long wait(long now, boolean more) {
        long until = idleNanos + Math.min(0, prewarmed.oldestAsked(recycled.oldestSince(now)) - now);
        if (recycles) {
            until = Math.min(until, idleNanos / 4); // so often the recycle pool learns the time
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
