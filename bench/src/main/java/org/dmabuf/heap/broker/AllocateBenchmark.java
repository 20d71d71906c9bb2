// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.bench.BenchBroker;
import org.dmabuf.heap.bench.NoMemory;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Benchmark of the broker compared with a direct call of the exporter, with 64 heaps and accounting. An exporter
 * without work shows the cost of the broker alone; an exporter of memfds shows the whole cost.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 2,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class AllocateBenchmark {
    private static final int HEAPS = 64;
    private static final long SIZE = NoMemory.SIZE;

    private final BenchBroker broker = new BenchBroker();
    private final Client client = broker.client("bench");
    private final HeapExporter nothing = new NoMemory();
    private final MemfdSource memfd = MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine());
    private final AllocationRequest byName = AllocationRequest.of(SIZE).withHeaps("heap-20");
    private final AllocationRequest byMask = AllocationRequest.of(SIZE).withMask(1L << 20 | 1L << 40);
    private final AllocationRequest byRequirement =
            AllocationRequest.of(SIZE).withRequirement("(&(heap.type=t40)(heap.dmabuf=false))");
    /** The priority of heap-15 is below that of 20 heaps. */
    private final AllocationRequest skipping =
            AllocationRequest.of(SIZE).withRequirement("(&(heap.type=t15)(heap.dmabuf=false))");

    private final AllocationRequest fromMemfd = AllocationRequest.of(SIZE).withHeaps("memfd");
    private final HeapRequest checked = HeapRequest.of(byName, client.requested());

    @Setup
    public void arrive() {
        for (int id = 0; id < HEAPS - 1; id++) {
            broker.add(
                    "heap-" + id,
                    nothing,
                    Map.of(
                            HeapProperties.ID,
                            id,
                            HeapProperties.PRIORITY,
                            id * 37 % HEAPS,
                            HeapProperties.TYPE,
                            "t" + id));
        }
        broker.add("memfd", memfd, Map.of());
    }

    @TearDown
    public void leave() {
        broker.close();
    }

    @Benchmark
    public void direct() {
        nothing.allocate(checked).release();
    }

    @Benchmark
    public void brokerByName() {
        use(byName);
    }

    @Benchmark
    public void brokerByMask() {
        use(byMask);
    }

    @Benchmark
    public void brokerByRequirement() {
        use(byRequirement);
    }

    @Benchmark
    public void brokerSkipping20() {
        use(skipping);
    }

    @Benchmark
    public RegisteredHeap routeByName() {
        return broker.routes().named("heap-20");
    }

    @Benchmark
    public RegisteredHeap routeByMask() {
        RoutingTable routes = broker.routes();
        return routes.first(routes.places(1L << 20 | 1L << 40));
    }

    @Benchmark
    public void memfdDirect() {
        memfd.allocate(checked).release();
    }

    @Benchmark
    public void memfdByBroker() {
        use(fromMemfd);
    }

    private void use(AllocationRequest request) {
        try (DmaBuf buffer = broker.allocate(client, request)) {
            if (buffer.size() != SIZE) {
                throw new AssertionError(buffer);
            }
        }
    }
}
