// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Benchmark of the region allocator: one buffer of 10 000 is closed and another is allocated, in a region that media
 * buffers fill to 80 %. SampleTime includes two readings of the clock.
 */
@State(Scope.Benchmark)
@BenchmarkMode({Mode.AverageTime, Mode.SampleTime})
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 2,
        jvmArgs = {"--enable-native-access=ALL-UNNAMED", "-Xmx1g"})
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class RegionAllocatorBenchmark {
    private static final int LIVE = 10_000;

    /** The alignment cap in bytes: a page, and CMA's. */
    @Param({"4096", "1048576"})
    public long cap;

    private final SplittableRandom random = new SplittableRandom(6);
    private final long[] live = new long[LIVE];
    private RegionAllocator region;

    @Setup
    public void fill() {
        long[] sizes = new long[LIVE];
        long sum = 0;
        for (int i = 0; i < LIVE; i++) {
            sizes[i] = RegionTraces.mediaSize(random);
            sum += sizes[i];
        }
        long size = sum / 80 * 100 / RegionTraces.GRANULE * RegionTraces.GRANULE;
        region = new RegionAllocator("bench", size, RegionTraces.GRANULE);
        for (int i = 0; i < LIVE; i++) {
            live[i] = region.allocate(sizes[i], RegionAllocator.alignment(sizes[i], cap));
        }
    }

    @TearDown
    public void report() {
        System.out.println(region.figures(cap));
    }

    /** The cost of the benchmark itself: the choice of a buffer and a size. */
    @Benchmark
    public long choose() {
        return live[random.nextInt(LIVE)] + RegionTraces.mediaSize(random);
    }

    @Benchmark
    public void freeAndAllocate() {
        int slot = random.nextInt(LIVE);
        if (live[slot] >= 0) {
            region.free(live[slot]);
        }
        long size = RegionTraces.mediaSize(random);
        live[slot] = region.allocate(size, RegionAllocator.alignment(size, cap));
    }
}
