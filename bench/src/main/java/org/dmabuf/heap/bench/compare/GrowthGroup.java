// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.bench.BenchBroker;
import org.dmabuf.heap.bench.NoMemory;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.linux.region.CrowdedRegion;

/** Growth of costs with the numbers of heaps, buffers, clients and threads, at two numbers each. */
final class GrowthGroup implements Group {
    private static final int TIMES = 10_000;
    private static final int HEAPS = 1000;
    private static final int CLIENTS = 100;
    private static final AllocationRequest REQUEST =
            AllocationRequest.of(NoMemory.SIZE).withHeaps("heap-0");

    @Override
    public String name() {
        return "growth";
    }

    @Override
    public String note() {
        return """
                Allocations that are closed, by name and from an exporter without work. For the region, one of the live
                buffers, which fill it to 80 %, is closed and another is allocated. Clients take turns. With two
                threads, each has a client, and the time is that of one thread's operation.""";
    }

    @Override
    public List<Row> measure(Rounds rounds) {
        List<Row> rows = new ArrayList<>();
        try (BenchBroker few = broker(1);
                BenchBroker many = broker(HEAPS)) {
            Client ofFew = few.client("bench");
            Client ofMany = many.client("bench");
            rows.add(rounds.run(
                    name(),
                    "heaps: 1, 1 000",
                    List.of(
                            Contender.of("low", TIMES, () -> allocate(few, ofFew)),
                            Contender.of("high", TIMES, () -> allocate(many, ofMany)))));
        }
        rows.add(rounds.run(
                name(),
                "live buffers in a region: 1e3, 1e6",
                List.of(crowded("low", 1000), crowded("high", 1_000_000))));
        try (BenchBroker broker = broker(1)) {
            rows.add(rounds.run(
                    name(), "clients: 1, 100", List.of(clients("low", broker, 1), clients("high", broker, CLIENTS))));
            try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
                rows.add(rounds.run(
                        name(),
                        "threads: 1, 2",
                        List.of(threads("low", broker, threads, 1), threads("high", broker, threads, 2))));
            }
        }
        return rows;
    }

    private static BenchBroker broker(int heaps) {
        BenchBroker broker = new BenchBroker();
        NoMemory memory = new NoMemory();
        for (int heap = 0; heap < heaps; heap++) {
            broker.add("heap-" + heap, memory, Map.of());
        }
        return broker;
    }

    private static Contender crowded(String name, int live) {
        CrowdedRegion region = new CrowdedRegion(live);
        return Contender.of(name, TIMES, region::freeAndAllocate);
    }

    private static Contender clients(String name, BenchBroker broker, int count) {
        List<Client> clients = clients(broker, count);
        return Contender.ofBatch(name, TIMES, () -> {
            for (int i = 0; i < TIMES; i++) {
                allocate(broker, clients.get(i % count));
            }
        });
    }

    private static Contender threads(String name, BenchBroker broker, ExecutorService threads, int count) {
        List<Runnable> work = clients(broker, count).stream()
                .map(client -> (Runnable) () -> {
                    for (int i = 0; i < TIMES; i++) {
                        allocate(broker, client);
                    }
                })
                .toList();
        return Contender.ofBatch(name, TIMES, () -> {
            List<Future<?>> running = new ArrayList<>();
            work.forEach(one -> running.add(threads.submit(one)));
            running.forEach(GrowthGroup::await);
        });
    }

    private static void await(Future<?> work) {
        try {
            work.get();
        } catch (InterruptedException | ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    private static List<Client> clients(BenchBroker broker, int count) {
        return IntStream.range(0, count)
                .mapToObj(client -> broker.client("bench-" + count + "-" + client))
                .toList();
    }

    private static void allocate(BenchBroker broker, Client client) {
        broker.allocate(client, REQUEST).close();
    }
}
