// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Comparison of pools with their references, in alternating turns of some milliseconds, so that other load of the
 * machine affects both equally. Started by {@code bench/pools}.
 *
 * <ul>
 * <li>The life of a recycled buffer, compared with C's memset of one permanent mapping.
 * <li>A prewarmed buffer, from the request until its memory is mapped, compared with a fresh one, alternately at a
 *     steady pace. Also the CPU time of the whole process for a buffer's life, including the pool's thread. It is
 *     compared with that of fresh buffers when as many are in use as the pool has, so that the memory of both kinds is
 *     equally cold in the caches.
 * <li>A burst of twice as many requests as the pool holds. No buffer is closed before the last request is served.
 * </ul>
 */
public final class PoolRounds {
    static final long[] SIZES = {64 << 10, 1 << 20, 16 << 20};
    /** The required speed-up of prewarmed buffers, by size. */
    private static final int[] FASTER = {5, 15, 30};

    private static final double MOST_OVER_MEMSET = 1.03;
    private static final double MOST_CPU = 1.05;

    static final int POOL = 16;
    /**
     * The number of recycled buffers, each with separate memory, because the location of pages changes times by some
     * per cent.
     */
    private static final int SERIES = 8;

    private static final int TURNS = 300;
    private static final long WARM_UP_NANOS = 300_000_000;
    private static final int WARM_UP_ROUNDS = 3;
    private static final int ROUNDS = 25;
    private static final int BURSTS = 25;

    private PoolRounds() {}

    /**
     * Runs all.
     *
     * @param args the file for the tables
     * @throws IOException when it cannot be written
     */
    public static void main(String[] args) throws IOException {
        StringBuilder text = new StringBuilder(String.format(
                Locale.ROOT,
                """
                # Pools beside what they are measured by

                Written by `bench/pools`, on %d cores and Linux %s, with a load average of %.1f at the start. What is
                compared took turns of some milliseconds. A ratio is the median of the turns' ratios, with the
                quartiles behind it.

                ## Recycled buffers

                The life of a buffer that never leaves the process, cleared before each use, beside C's memset of one
                kept mapping.

                | size | memset | recycled | ratio | at most |
                |---|---:|---:|---:|---:|
                """,
                Runtime.getRuntime().availableProcessors(),
                System.getProperty("os.version").replaceFirst("[^0-9.].*", ""),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage()));
        for (long size : SIZES) {
            text.append(recycled(size));
        }
        StringBuilder speed = new StringBuilder();
        StringBuilder cpu = new StringBuilder();
        for (int i = 0; i < SIZES.length; i++) {
            paced(SIZES[i], FASTER[i], speed, cpu);
        }
        text.append(String.format("""

                ## Prewarmed buffers, at a steady pace

                From the request until the memory is mapped, beside a fresh buffer, from a pool of %1$d.

                | size | fresh | prewarmed | faster | at least |
                |---|---:|---:|---:|---:|
                %2$s

                CPU time of the whole process for a buffer's whole life, the making of the next included. A fresh buffer
                that is closed at once leaves its pages in the caches to the next one, which no buffer does that was
                made before it is asked for. The second row of a size has %1$d fresh buffers in use, like the pool.

                | size | beside | fresh | prewarmed | ratio | at most |
                |---|---|---:|---:|---:|---:|
                """, POOL, speed));
        text.append(cpu);
        text.append(String.format("""

                ## A burst of %d requests on a pool of %d

                From the request until the memory is mapped; none is closed before the last is served.

                | size | buffers | p50 | p99 | slowest |
                |---|---|---:|---:|---:|
                """, 2 * POOL, POOL));
        for (long size : SIZES) {
            text.append(burst(size));
        }
        System.out.print(text);
        Files.writeString(Path.of(args[0]), text);
    }

    private static MemorySource open(MemorySource memfds, PoolBudget budget) {
        return PooledSource.over(memfds, "memfd", Syscalls.linux(), Headroom.machine(), budget);
    }

    private static MemfdSource memfds() {
        return MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine());
    }

    private static String recycled(long size) {
        int times = (int) Math.max(1, (8 << 20) / size);
        double[] inJava = new double[SERIES * TURNS];
        double[] inC = new double[inJava.length];
        for (int series = 0; series < SERIES; series++) {
            MemfdSource memfds = memfds();
            try (MemorySource pool = open(memfds, PoolBudget.none().withRecycled(2 * size))) {
                HeapRequest request = HeapRequest.of(size).withExport(ExportMode.NONE);
                // Both zero the same memory, which stays in the pool.
                HeapBuffer first = pool.allocate(request);
                MemorySegment kept = first.map(Access.READ_WRITE);
                first.release();
                Runnable java = () -> {
                    for (int i = 0; i < times; i++) {
                        life(pool, request);
                    }
                };
                Runnable c = () -> Twin.zero(kept, times);
                for (long start = System.nanoTime(); System.nanoTime() - start < WARM_UP_NANOS; ) {
                    java.run();
                    c.run();
                }
                for (int turn = series * TURNS; turn < (series + 1) * TURNS; turn++) {
                    if ((turn & 1) == 0) { // the second one finds the caches as the first one left them
                        inC[turn] = nanos(c) / times;
                        inJava[turn] = nanos(java) / times;
                    } else {
                        inJava[turn] = nanos(java) / times;
                        inC[turn] = nanos(c) / times;
                    }
                }
            }
        }
        return String.format(
                "| %s | %s | %s | %s |%n",
                Bytes.text(size),
                micros(quantile(inC, 50)),
                micros(quantile(inJava, 50)),
                judged(ratios(inJava, inC), MOST_OVER_MEMSET));
    }

    static long life(MemorySource source, HeapRequest request) {
        HeapBuffer buffer = source.allocate(request);
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        long address = mapping.address();
        buffer.unmap(mapping);
        buffer.release();
        return address;
    }

    private static void paced(long size, int faster, StringBuilder speed, StringBuilder cpu) {
        int lives = lives(size);
        MemfdSource memfds = memfds();
        long pace = pace(memfds, size);
        List<Long> fresh = new ArrayList<>();
        List<Long> prewarmed = new ArrayList<>();
        double[] cpuFresh = new double[ROUNDS];
        double[] cpuInUse = new double[ROUNDS];
        double[] cpuPrewarmed = new double[ROUNDS];
        try (MemorySource pool = open(memfds, PoolBudget.none().withPrewarmed(size, POOL))) {
            for (int round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
                if (round == 0) {
                    fresh.clear();
                    prewarmed.clear();
                }
                int to = Math.max(0, round);
                for (int turn = 0; turn < 3; turn++) {
                    switch ((to + turn) % 3) { // each is first equally often
                        case 0 -> cpuFresh[to] = cpu(memfds, size, lives, 1, pace, fresh);
                        case 1 -> cpuInUse[to] = cpu(memfds, size, lives, POOL, pace, new ArrayList<>());
                        default -> {
                            full(pool, size);
                            cpuPrewarmed[to] = cpu(pool, size, lives, 1, pace, prewarmed);
                        }
                    }
                }
            }
        }
        double freshNanos = quantile(nanos(fresh), 50);
        double prewarmedNanos = quantile(nanos(prewarmed), 50);
        speed.append(String.format(
                Locale.ROOT,
                "%s| %s | %s | %s | %.0fx | %dx, %s |",
                speed.isEmpty() ? "" : "\n",
                Bytes.text(size),
                micros(freshNanos),
                micros(prewarmedNanos),
                freshNanos / prewarmedNanos,
                faster,
                freshNanos >= faster * prewarmedNanos ? "met" : "**missed**"));
        String made = micros(quantile(cpuPrewarmed, 50));
        cpu.append(String.format(
                "| %s | closed at once | %s | %s | %s |%n",
                Bytes.text(size),
                micros(quantile(cpuFresh, 50)),
                made,
                judged(ratios(cpuPrewarmed, cpuFresh), MOST_CPU)));
        cpu.append(String.format(
                "| | %d in use | %s | %s | %s | |%n",
                POOL, micros(quantile(cpuInUse, 50)), made, spread(ratios(cpuPrewarmed, cpuInUse))));
    }

    /** {@return the number of buffers of a turn} */
    static int lives(long size) {
        return (int) Math.clamp((24 << 20) / size, POOL, 384);
    }

    /**
     * {@return the nanoseconds from one request to the next at which the machine is idle for two thirds of the time}
     */
    static long pace(MemorySource memfds, long size) {
        long fastest = Long.MAX_VALUE;
        for (int run = 0; run < 10; run++) {
            long start = System.nanoTime();
            lives(memfds, size, POOL, 1, 0, new ArrayList<>());
            fastest = Math.min(fastest, System.nanoTime() - start);
        }
        return 3 * fastest / POOL;
    }

    /** {@return the CPU time of one buffer's life in nanoseconds} */
    static double cpu(MemorySource source, long size, int lives, int inUse, long pace, List<Long> into) {
        long before = Twin.cpuTime();
        lives(source, size, lives, inUse, pace, into);
        int all = lives;
        if (!source.usage().pools().isEmpty()) {
            all += full(source, size); // the pool replaces the taken buffers, and that work counts for them
        }
        return (double) (Twin.cpuTime() - before) / all;
    }

    /**
     * Waits until the pool is full. The pool is filled in batches. {@return the number of buffers that were taken for
     * that}
     */
    static int full(MemorySource pool, long size) {
        int gone = 0;
        long before = -1;
        for (long ready; (ready = pool.usage().pools().getFirst().bytes()) < POOL * size; before = ready) {
            if (ready == before) {
                life(pool, HeapRequest.of(size));
                gone++;
            }
            LockSupport.parkNanos(20_000_000);
        }
        return gone;
    }

    /**
     * Adds the time of each request until its memory is mapped. The oldest buffer is closed when this many are in use.
     */
    private static void lives(MemorySource source, long size, int lives, int inUse, long pace, List<Long> into) {
        HeapRequest request = HeapRequest.of(size);
        HeapBuffer[] buffers = new HeapBuffer[inUse];
        MemorySegment[] mappings = new MemorySegment[inUse];
        for (int i = 0; i < lives + inUse - 1; i++) {
            long start = System.nanoTime();
            if (i < lives) {
                HeapBuffer buffer = source.allocate(request);
                MemorySegment mapping = buffer.map(Access.READ_WRITE);
                into.add(System.nanoTime() - start);
                buffers[i % inUse] = buffer;
                mappings[i % inUse] = mapping;
            }
            int oldest = i - inUse + 1;
            if (oldest >= 0) {
                buffers[oldest % inUse].unmap(mappings[oldest % inUse]);
                buffers[oldest % inUse].release();
            }
            long rest = start + pace - System.nanoTime();
            if (rest > 0 && i < lives) {
                LockSupport.parkNanos(rest);
            }
        }
    }

    private static String burst(long size) {
        List<Long> fresh = new ArrayList<>();
        List<Long> prewarmed = new ArrayList<>();
        MemfdSource memfds = memfds();
        try (MemorySource pool = open(memfds, PoolBudget.none().withPrewarmed(size, POOL))) {
            for (int round = 0; round < BURSTS; round++) {
                full(pool, size);
                burst(memfds, size, fresh);
                burst(pool, size, prewarmed);
            }
        }
        return burst(Bytes.text(size), "fresh", nanos(fresh)) + burst("", "prewarmed", nanos(prewarmed));
    }

    private static String burst(String size, String buffers, double[] nanos) {
        return String.format(
                "| %s | %s | %s | %s | %s |%n",
                size, buffers, micros(quantile(nanos, 50)), micros(quantile(nanos, 99)), micros(quantile(nanos, 100)));
    }

    private static void burst(MemorySource source, long size, List<Long> into) {
        HeapRequest request = HeapRequest.of(size);
        HeapBuffer[] buffers = new HeapBuffer[2 * POOL];
        MemorySegment[] mappings = new MemorySegment[buffers.length];
        for (int i = 0; i < buffers.length; i++) {
            long start = System.nanoTime();
            buffers[i] = source.allocate(request);
            mappings[i] = buffers[i].map(Access.READ_WRITE);
            into.add(System.nanoTime() - start);
        }
        for (int i = 0; i < buffers.length; i++) {
            buffers[i].unmap(mappings[i]);
            buffers[i].release();
        }
    }

    private static double nanos(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return System.nanoTime() - start;
    }

    private static double[] nanos(List<Long> times) {
        return times.stream().mapToDouble(Long::doubleValue).toArray();
    }

    private static double[] ratios(double[] these, double[] those) {
        double[] ratios = new double[these.length];
        Arrays.setAll(ratios, i -> these[i] / those[i]);
        return ratios;
    }

    private static double quantile(double[] values, int percent) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)];
    }

    private static String judged(double[] ratios, double most) {
        return String.format(
                Locale.ROOT,
                "%s | %.2f, %s",
                spread(ratios),
                most,
                quantile(ratios, 50) <= most ? "met" : "**missed**");
    }

    private static String spread(double[] ratios) {
        return String.format(
                Locale.ROOT, "%.3f (%.2f to %.2f)", quantile(ratios, 50), quantile(ratios, 25), quantile(ratios, 75));
    }

    private static String micros(double nanos) {
        return String.format(Locale.ROOT, nanos < 100_000 ? "%.2f µs" : "%.0f µs", nanos / 1e3);
    }
}
