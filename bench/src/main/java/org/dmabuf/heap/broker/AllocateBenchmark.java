// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.foreign.MemorySegment;
import java.lang.ref.ReferenceQueue;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.event.BrokerEventsFanOut;
import org.dmabuf.heap.broker.event.FlightRecorderEvents;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.broker.heap.StartFailures;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
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
    private static final long SIZE = 4096;

    /** Memory whose calls do no work. */
    private static final class Nothing implements HeapBuffer {
        @Override
        public long size() {
            return SIZE;
        }

        @Override
        public int descriptor() {
            return 0;
        }

        @Override
        public MemorySegment map(Access access) {
            return MemorySegment.NULL;
        }

        @Override
        public void unmap(MemorySegment mapping) {}

        @Override
        public void release() {}
    }

    private final Ledger ledger = new Ledger();
    private final HeapRegistry registry = new HeapRegistry(ledger);
    private final Client client =
            new Client(ledger.enter(ClientId.ofBundle("bench", "file:bench")), new LeakDetector());
    private final HeapExporter nothing = request -> new Nothing();
    private final MemfdSource memfd = MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine());
    private final AllocationRequest byName = AllocationRequest.of(SIZE).withHeaps("heap-20");
    private final AllocationRequest byMask = AllocationRequest.of(SIZE).withMask(1L << 20 | 1L << 40);
    private final AllocationRequest byRequirement =
            AllocationRequest.of(SIZE).withRequirement("(&(heap.type=t40)(heap.dmabuf=false))");
    private final AllocationRequest fromMemfd = AllocationRequest.of(SIZE).withHeaps("memfd");
    private final HeapRequest checked = HeapRequest.of(byName, client.requested());
    private Allocator allocator;

    @Setup
    public void arrive() {
        allocator = new Allocator(
                registry,
                ledger,
                new BufferServices(
                        new Descriptors(Syscalls.linux()),
                        Optional.of(new HolderTracker()),
                        eventsFanOut(),
                        new ReferenceQueue<>()),
                new AbsentHeaps(new UnavailableHeaps(), new StartFailures()));
        for (int id = 0; id < HEAPS - 1; id++) {
            registry.arrived(
                    id,
                    nothing,
                    Map.of(
                            HeapProperties.NAME,
                            "heap-" + id,
                            HeapProperties.ID,
                            id,
                            HeapProperties.PRIORITY,
                            id * 37 % HEAPS,
                            HeapProperties.TYPE,
                            "t" + id),
                    "bench");
        }
        registry.arrived(HEAPS, memfd, Map.of(HeapProperties.NAME, "memfd"), "bench");
        ledger.start();
    }

    /** The events of a gateway without an active recording. */
    private static BrokerEventsFanOut eventsFanOut() {
        BrokerEventsFanOut eventsFanOut = new BrokerEventsFanOut();
        eventsFanOut.add(new FlightRecorderEvents());
        return eventsFanOut;
    }

    @TearDown
    public void leave() {
        ledger.stop();
    }

    @Benchmark
    public void direct() {
        nothing.allocate(checked).release();
    }

    @Benchmark
    public void brokerByName() {
        try (DmaBuf buffer = allocator.allocate(client, byName)) {
            use(buffer);
        }
    }

    @Benchmark
    public void brokerByMask() {
        try (DmaBuf buffer = allocator.allocate(client, byMask)) {
            use(buffer);
        }
    }

    @Benchmark
    public void brokerByRequirement() {
        try (DmaBuf buffer = allocator.allocate(client, byRequirement)) {
            use(buffer);
        }
    }

    @Benchmark
    public RegisteredHeap routeByName() {
        return registry.routes().named("heap-20");
    }

    @Benchmark
    public RegisteredHeap routeByMask() {
        RoutingTable routes = registry.routes();
        return routes.first(routes.places(1L << 20 | 1L << 40));
    }

    @Benchmark
    public void memfdDirect() {
        memfd.allocate(checked).release();
    }

    @Benchmark
    public void memfdByBroker() {
        try (DmaBuf buffer = allocator.allocate(client, fromMemfd)) {
            use(buffer);
        }
    }

    private static void use(DmaBuf buffer) {
        if (buffer.size() != SIZE) {
            throw new AssertionError(buffer);
        }
    }
}
