// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.bench.BenchBroker;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** The loop by which dma-buf heaps were compared with ION when they were proposed: allocations that are not used. */
final class LoopGroup implements Group {
    /** The sizes and the number of allocations in a turn. */
    private static final Map<Long, Integer> TIMES =
            Map.of(4096L, 50, Sizes.MIB, 10, 8 * Sizes.MIB, 5, 32 * Sizes.MIB, 4);

    @Override
    public String name() {
        return "loop";
    }

    @Override
    public String note() {
        return """
                5 000 allocations that are closed and not filled, on memfds and by the broker, in turns of 4 to 50. The
                published loop of dma-buf heaps took 17.6, 50.5, 571 and 2 642 us for these sizes on its author's
                machine. Each turn of `prewarmed` finds a full pool. `C` makes the same system calls as `fresh`.""";
    }

    @Override
    public List<Row> measure(Rounds rounds) {
        List<Row> rows = new ArrayList<>();
        TIMES.keySet().stream().sorted().forEach(size -> rows.add(measure(rounds, size, TIMES.get(size))));
        return rows;
    }

    private Row measure(Rounds rounds, long size, int times) {
        try (BenchBroker broker = new BenchBroker();
                PrewarmedHeap prewarmed = new PrewarmedHeap(size, times)) {
            broker.add("memfd", MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine()), Map.of());
            broker.add("prewarmed", prewarmed.source(), Map.of());
            Client client = broker.client("bench");
            AllocationRequest fresh = AllocationRequest.of(size).withHeaps("memfd");
            AllocationRequest ready = AllocationRequest.of(size).withHeaps("prewarmed");
            return rounds.run(
                    name(),
                    Sizes.name(size),
                    List.of(
                            Contender.of("fresh", times, () -> allocate(broker, client, fresh)),
                            Contender.of("prewarmed", times, () -> allocate(broker, client, ready))
                                    .followedBy(prewarmed::awaitFull),
                            Contender.ofBatch("C", times, () -> Twin.make(size, times))),
                    rounds.effort().loop() / times);
        }
    }

    private static void allocate(BenchBroker broker, Client client, AllocationRequest request) {
        try (DmaBuf buffer = broker.allocate(client, request)) {
            if (buffer.size() < request.size()) {
                throw new AssertionError(buffer);
            }
        }
    }
}
