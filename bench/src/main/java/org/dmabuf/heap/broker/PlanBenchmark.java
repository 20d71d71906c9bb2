// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.foreign.MemorySegment;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.allocation.DemandSources;
import org.dmabuf.heap.broker.allocation.Planner;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.constraint.Candidate;
import org.dmabuf.heap.broker.constraint.Solver;
import org.dmabuf.heap.broker.event.BrokerEventsFanOut;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.StartFailures;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.HeapFacts;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fence.DeviceFences;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
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
 * Benchmark of requests for devices: 72 demands of 8 devices solved over 8 heaps, and an allocation from a plan
 * compared with one by name. The heaps do no work.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 2,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class PlanBenchmark {
    private static final int HEAPS = 8;
    private static final int DEVICES = 8;
    private static final long SIZE = 4096;

    /** Nine demands of each device, which the last heap meets. */
    private static final List<String> OF_EACH = List.of(
            "address=32bit",
            "sg=64xany",
            "alignment=64K",
            "size.max=1G",
            "granule=4K",
            "cpu=cached,uncached",
            "numa=0,1",
            "dmabuf=true",
            "buffers=4");

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
    private final List<Demand> demands = demands();
    private final List<Demand> conflicting = new ArrayList<>(demands);
    private final List<Candidate> candidates = IntStream.range(0, HEAPS)
            .mapToObj(i -> new Candidate("heap-" + i, 0, HeapFacts.of(properties(i))))
            .toList();
    private final AllocationRequest plain = AllocationRequest.of(SIZE).withHeaps("heap-7");
    private final AllocationRequest forDevices = AllocationRequest.of(SIZE)
            .forDevices(
                    IntStream.range(0, DEVICES).mapToObj(PlanBenchmark::device).toArray(String[]::new));

    private Allocator allocator;
    private Planner planner;
    private AllocationPlan plan;

    private static String device(int number) {
        return "/dev/video" + number;
    }

    private static List<Demand> demands() {
        return IntStream.range(0, DEVICES)
                .boxed()
                .flatMap(i -> OF_EACH.stream().map(demand -> Demand.parse(device(i) + " " + demand)))
                .toList();
    }

    private static Map<String, Object> properties(int number) {
        Map<String, Object> properties = new HashMap<>();
        properties.put(HeapProperties.NAME, "heap-" + number);
        properties.put(HeapProperties.DMABUF, true);
        properties.put(HeapProperties.NUMA, 0);
        properties.put(HeapProperties.ALIGNMENT, 65_536L);
        properties.put(HeapProperties.ADDRESS_MAX, number == HEAPS - 1 ? 0xFFFF_FFFFL : 0xF_FFFF_FFFFL);
        return properties;
    }

    @Setup
    public void arrive() {
        conflicting.add(Demand.parse("/dev/dsp address=0x800000000-0x8ffffffff"));
        AbsentHeaps absent = new AbsentHeaps(new UnavailableHeaps(), new StartFailures());
        allocator = new Allocator(
                registry,
                ledger,
                new BufferServices(
                        new Descriptors(Syscalls.linux()),
                        Optional.of(new HolderTracker()),
                        new DeviceFences(Syscalls.linux()),
                        new BrokerEventsFanOut(),
                        new ReferenceQueue<>()),
                absent);
        DemandSources sources = new DemandSources();
        sources.add(
                1,
                device -> demands.stream()
                        .filter(demand -> demand.who().equals(device))
                        .toList(),
                "bench");
        planner = new Planner(registry, absent, allocator, sources);
        for (int i = 0; i < HEAPS; i++) {
            registry.arrived(i, nothing, properties(i), "bench");
        }
        plan = planner.plan(client, forDevices);
        ledger.start();
    }

    @TearDown
    public void leave() {
        ledger.stop();
    }

    /** The target is 50 µs. */
    @Benchmark
    public Object solve72Demands() {
        return Solver.solve(demands, SIZE, candidates);
    }

    @Benchmark
    public Object refuse73Demands() {
        return Solver.solve(conflicting, SIZE, candidates);
    }

    @Benchmark
    public void plainByName() {
        allocator.allocate(client, plain).close();
    }

    /** The target is 20 ns more than {@link #plainByName}. */
    @Benchmark
    public void planned() {
        plan.allocate().close();
    }

    /** A plain request for devices, whose plan is kept. */
    @Benchmark
    public void keptPlan() {
        try (DmaBuf buffer = planner.allocate(client, forDevices)) {
            if (buffer.size() != SIZE) {
                throw new AssertionError(buffer);
            }
        }
    }
}
