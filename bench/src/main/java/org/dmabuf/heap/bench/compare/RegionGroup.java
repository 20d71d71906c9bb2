// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.Arrays;
import java.util.List;
import org.dmabuf.heap.linux.region.RegionAllocatorBenchmark;

/** Slow operations of the region allocator, by {@link RegionAllocatorBenchmark} in turns. */
final class RegionGroup implements Group {
    private static final int TIMES = 20_000;
    private static final long CMA_ALIGNMENT = Sizes.MIB;

    @Override
    public String name() {
        return "region";
    }

    @Override
    public String note() {
        return """
                One buffer of 10 000 is closed and another is allocated, with CMA's alignment. A turn of 20 000
                operations counts with its p99.9. The control only chooses the buffer and the size, and its p99.9 is
                the machine's own.""";
    }

    @Override
    public List<Row> measure(Rounds rounds) {
        RegionAllocatorBenchmark benchmark = new RegionAllocatorBenchmark();
        benchmark.cap = CMA_ALIGNMENT;
        benchmark.fill();
        return List.of(rounds.run(
                name(),
                "p99.9",
                List.of(
                        new Contender("close and allocate", () -> slow(benchmark::freeAndAllocate)),
                        new Contender("control", () -> slow(benchmark::choose)))));
    }

    private static double slow(Runnable operation) {
        double[] nanos = new double[TIMES];
        for (int i = 0; i < TIMES; i++) {
            long start = System.nanoTime();
            operation.run();
            nanos[i] = System.nanoTime() - start;
        }
        Arrays.sort(nanos);
        return Quantiles.at(nanos, 0.999);
    }
}
