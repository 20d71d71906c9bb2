// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * Pools beside what they are measured by, in turns of some milliseconds, so that whatever else the machine does hits
 * both alike. The median of the turns' ratios is told. Started by {@code bench/pools}.
 *
 * <ul>
 *   <li>A recycled buffer's life, beside C's memset of one kept mapping.
 *   <li>A prewarmed buffer, from the request until its memory is mapped, beside a fresh one; one after the other at a
 *       steady pace. With it the CPU time of the whole process for a buffer's life, the pool's thread included.
 *   <li>A burst of twice as many requests as the pool holds.
 * </ul>
 */
public final class PoolRounds {
    private static final long[] SIZES = {64 << 10, 1 << 20, 16 << 20};
    private static final int ROUNDS = 15;
    private static final int POOL = 16;

    private PoolRounds() {}

    public static void main(String[] arguments) throws Exception {
        System.out.printf("%-8s  %10s  %10s  %s%n", "size", "C memset", "recycled", "ratio (median of turns)");
        for (long size : SIZES) {
            recycled(size);
        }
        System.out.printf(
                "%n%-8s  %10s  %10s  %8s  %10s  %10s  %s%n",
                "size", "fresh p50", "prewarmed", "faster", "CPU fresh", "CPU prew.", "ratio");
        for (long size : SIZES) {
            paced(size);
        }
        System.out.printf("%nburst of %d on a pool of %d%n", 2 * POOL, POOL);
        System.out.printf("%-8s  %12s  %12s  %12s  %12s%n", "size", "fresh p50", "fresh p99", "burst p50", "burst p99");
        for (long size : SIZES) {
            burst(size);
        }
    }

    private static MemorySource open(MemorySource memfds, PoolBudget budget) {
        return PooledSource.over(memfds, "memfd", Syscalls.linux(), Headroom.machine(), budget);
    }

    private static MemfdSource memfds() {
        return MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine());
    }

    private static void recycled(long size) {
        MemfdSource memfds = memfds();
        try (MemorySource pool = open(memfds, PoolBudget.none().recycled(2 * size))) {
            PoolRequest request = new PoolRequest(size, false);
            // Both clear the same memory: where pages lie decides on percents. No more than the pool's own.
            HeapBuffer first = pool.allocate(request);
            MemorySegment kept = first.map(Access.READ_WRITE);
            first.release();
            int times = (int) Math.max(1, (8 << 20) / size);
            Runnable java = () -> {
                for (int i = 0; i < times; i++) {
                    life(pool, request);
                }
            };
            Runnable c = () -> Twin.zero(kept, times);
            for (int i = 0; i < 20_000 / times; i++) {
                java.run();
                c.run();
            }
            double[] inJava = new double[10 * ROUNDS];
            double[] inC = new double[inJava.length];
            for (int round = 0; round < inJava.length; round++) {
                if ((round & 1) == 0) { // who comes second finds the caches as the first left them
                    inC[round] = nanos(c) / times;
                    inJava[round] = nanos(java) / times;
                } else {
                    inJava[round] = nanos(java) / times;
                    inC[round] = nanos(c) / times;
                }
            }
            System.out.printf(
                    Locale.ROOT,
                    "%-8s  %7.2f us  %7.2f us  %.3f%n",
                    Bytes.text(size),
                    median(inC) / 1e3,
                    median(inJava) / 1e3,
                    median(ratios(inJava, inC)));
        }
    }

    private static long life(MemorySource source, PoolRequest request) {
        HeapBuffer buffer = source.allocate(request);
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        long address = mapping.address();
        buffer.unmap(mapping);
        buffer.release();
        return address;
    }

    private static void paced(long size) throws Exception {
        // The process's CPU time is counted in steps of up to 10 ms.
        int lives = (int) Math.clamp((128 << 20) / size, 2 * POOL, 2048);
        long pace = 3 * time(memfds(), size, 2 * POOL, 0, new ArrayList<>()) / (2 * POOL);
        List<Long> fresh = new ArrayList<>();
        List<Long> prewarmed = new ArrayList<>();
        double[] cpuFresh = new double[ROUNDS];
        double[] cpuPrewarmed = new double[ROUNDS];
        MemfdSource memfds = memfds();
        try (MemorySource pool = open(memfds, PoolBudget.none().prewarmed(size, POOL))) {
            for (int warm = 0; warm < 5; warm++) {
                time(memfds, size, lives, pace, new ArrayList<>());
                time(pool, size, lives, pace, new ArrayList<>());
            }
            for (int round = 0; round < ROUNDS; round++) {
                boolean first = (round & 1) == 0;
                if (first) {
                    cpuFresh[round] = cpu(memfds, size, lives, pace, fresh);
                }
                full(pool, size);
                cpuPrewarmed[round] = cpu(pool, size, lives, pace, prewarmed);
                if (!first) {
                    cpuFresh[round] = cpu(memfds, size, lives, pace, fresh);
                }
            }
        }
        System.out.printf(
                Locale.ROOT,
                "%-8s  %7.2f us  %7.2f us  %7.1fx  %7.1f us  %7.1f us  %.3f%n",
                Bytes.text(size),
                percentile(fresh, 50),
                percentile(prewarmed, 50),
                percentile(fresh, 50) / percentile(prewarmed, 50),
                median(cpuFresh) / 1e3,
                median(cpuPrewarmed) / 1e3,
                median(ratios(cpuPrewarmed, cpuFresh)));
    }

    private static void burst(long size) throws Exception {
        List<Long> fresh = new ArrayList<>();
        List<Long> burst = new ArrayList<>();
        MemfdSource memfds = memfds();
        try (MemorySource pool = open(memfds, PoolBudget.none().prewarmed(size, POOL))) {
            for (int round = 0; round < ROUNDS; round++) {
                time(memfds, size, 2 * POOL, 0, fresh);
                full(pool, size);
                time(pool, size, 2 * POOL, 0, burst);
            }
        }
        System.out.printf(
                Locale.ROOT,
                "%-8s  %9.2f us  %9.2f us  %9.2f us  %9.2f us%n",
                Bytes.text(size),
                percentile(fresh, 50),
                percentile(fresh, 99),
                percentile(burst, 50),
                percentile(burst, 99));
    }

    /** Waits until the pool is full. It is filled by halves; {@return how many buffers had to go for that} */
    private static int full(MemorySource pool, long size) {
        int gone = 0;
        long before = -1;
        for (long ready; (ready = pool.usage().pools().getFirst().bytes()) < POOL * size; before = ready) {
            if (ready == before) {
                life(pool, new PoolRequest(size, true));
                gone++;
            }
            LockSupport.parkNanos(20_000_000);
        }
        return gone;
    }

    private static double cpu(MemorySource source, long size, int lives, long pace, List<Long> into) throws Exception {
        LongSupplier process = cpuTime();
        long before = process.getAsLong();
        time(source, size, lives, pace, into);
        int all = lives;
        if (!source.usage().pools().isEmpty()) {
            all += full(source, size); // what was taken is made again: it belongs to those that were taken
        }
        return (double) (process.getAsLong() - before) / all;
    }

    private static LongSupplier cpuTime() {
        return ((com.sun.management.OperatingSystemMXBean)
                        java.lang.management.ManagementFactory.getOperatingSystemMXBean())
                ::getProcessCpuTime;
    }

    /** Adds the time of each request until its memory is mapped; {@return nanoseconds of all lives} */
    private static long time(MemorySource source, long size, int lives, long pace, List<Long> into) {
        PoolRequest request = new PoolRequest(size, true);
        long begun = System.nanoTime();
        for (int i = 0; i < lives; i++) {
            long start = System.nanoTime();
            HeapBuffer buffer = source.allocate(request);
            MemorySegment mapping = buffer.map(Access.READ_WRITE);
            into.add(System.nanoTime() - start);
            buffer.unmap(mapping);
            buffer.release();
            long rest = start + pace - System.nanoTime();
            if (rest > 0) {
                LockSupport.parkNanos(rest);
            }
        }
        return System.nanoTime() - begun;
    }

    private static double nanos(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return System.nanoTime() - start;
    }

    private static double[] ratios(double[] these, double[] those) {
        double[] ratios = new double[these.length];
        Arrays.setAll(ratios, i -> these[i] / those[i]);
        return ratios;
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private static double percentile(List<Long> nanos, int percent) {
        long[] sorted = nanos.stream().mapToLong(Long::longValue).sorted().toArray();
        return sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)] / 1e3;
    }
}
