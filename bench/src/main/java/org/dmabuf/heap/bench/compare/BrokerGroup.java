// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.List;
import org.dmabuf.heap.broker.AllocateBenchmark;

/** Cost of the broker, by {@link AllocateBenchmark} in turns. */
final class BrokerGroup implements Group {
    private static final int TIMES = 20_000;

    @Override
    public String name() {
        return "broker";
    }

    @Override
    public String note() {
        return """
                Allocations that are closed, with 64 heaps and accounting, from an exporter without work. `skipping 20`
                is a request by properties that 20 heaps of a higher priority do not meet.""";
    }

    @Override
    public List<Row> measure(Rounds rounds) {
        AllocateBenchmark benchmark = new AllocateBenchmark();
        benchmark.arrive();
        try {
            return List.of(rounds.run(
                    name(),
                    "64 heaps",
                    List.of(
                            Contender.of("direct", TIMES, benchmark::direct),
                            Contender.of("by name", TIMES, benchmark::brokerByName),
                            Contender.of("by mask", TIMES, benchmark::brokerByMask),
                            Contender.of("skipping 20", TIMES, benchmark::brokerSkipping20))));
        } finally {
            benchmark.leave();
        }
    }
}
