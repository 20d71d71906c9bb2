// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.constraint.Candidate;
import org.dmabuf.heap.broker.constraint.MergedDemands;
import org.dmabuf.heap.broker.constraint.Solver;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.HeapFacts;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Planner of requests with devices or demands: it asks the sources, has the demands solved over the heaps of one
 * moment, and keeps the plans of requests that are repeated.
 */
public final class Planner {
    /** The number of plans that are kept for repeated requests. */
    private static final int KEPT = 256;

    /** Nanoseconds for which a plan is kept. No source sees each change of a device, such as that of its format. */
    private static final long KEPT_FOR = TimeUnit.SECONDS.toNanos(10);

    /** A plan, the version of the sources that were asked for it, and when they were asked. */
    private record Kept(SharedPlan plan, long version, long since) {}

    private final HeapRegistry registry;
    private final AbsentHeaps absent;
    private final Allocator allocator;
    private final DemandSources sources;
    private final LongSupplier nanoTime;
    private final Map<PlanKey, Kept> kept = new ConcurrentHashMap<>();

    public Planner(HeapRegistry registry, AbsentHeaps absent, Allocator allocator, DemandSources sources) {
        this(registry, absent, allocator, sources, System::nanoTime);
    }

    /** Creates a planner with a clock that a test sets. */
    Planner(
            HeapRegistry registry,
            AbsentHeaps absent,
            Allocator allocator,
            DemandSources sources,
            LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        this.registry = registry;
        this.absent = absent;
        this.allocator = allocator;
        this.sources = sources;
    }

    /** {@return whether a request needs a plan} */
    public static boolean needed(AllocationRequest request) {
        return !request.devices().isEmpty() || !request.demands().isEmpty();
    }

    /**
     * Makes a plan for a client, with the demands that the sources report now.
     *
     * @param client the client
     * @param request the request
     * @return the plan
     * @throws HeapException if no heap meets all demands
     */
    public AllocationPlan plan(Client client, AllocationRequest request) {
        AllocationRequest named = PlanKey.of(request).withoutDemands().withTimeout(request.timeout());
        SharedPlan plan =
                solved(client, request, request.name().map(named::withName).orElse(named));
        return new ClientPlan(client, request, plan, allocator);
    }

    /**
     * Allocates one buffer for a client.
     *
     * @param client the client that gets the reference
     * @param request a request with devices or demands
     * @return the client's reference
     */
    public BufferReference allocate(Client client, AllocationRequest request) {
        return allocator.allocate(client, shared(client, request), request);
    }

    /** Allocates several buffers for a client, all from one heap or none. */
    public BufferReference[] allocate(Client client, AllocationRequest request, int count) {
        return allocator.allocate(client, shared(client, request), request, count);
    }

    private SharedPlan shared(Client client, AllocationRequest request) {
        PlanKey key = PlanKey.of(request);
        long version = sources.version();
        Kept before = kept.get(key);
        long now = nanoTime.getAsLong();
        if (before != null && before.version() == version && now - before.since() < KEPT_FOR) {
            return before.plan();
        }
        SharedPlan plan = solved(client, request, key.withoutDemands()); // a plan that cannot be solved is not kept
        if (kept.size() >= KEPT) {
            kept.clear();
        }
        kept.put(key, new Kept(plan, version, now));
        return plan;
    }

    /** Asks the sources, and solves a plan for the first time. */
    private SharedPlan solved(Client client, AllocationRequest request, AllocationRequest withoutDemands) {
        client.requireActive();
        try {
            Interruption.check();
            List<Demand> demands = Stream.concat(
                            sources.demands(request.devices()).stream(), request.demands().stream())
                    .toList();
            SharedPlan plan = new SharedPlan(this, withoutDemands, demands);
            plan.current();
            return plan;
        } catch (HeapException e) {
            allocator.countRefusal(client, request, e);
            throw e;
        }
    }

    /**
     * Asks the sources for the demands of one device.
     *
     * @param client the client
     * @param device path of a device file
     * @return its demands, with the kinds that the serving heaps declare; empty if no source knows it
     */
    public List<Demand> demands(Client client, String device) {
        client.requireActive();
        Interruption.check();
        return DeclaredKinds.of(registry.routes()).resolve(sources.of(device));
    }

    /** {@return the heaps of this moment} */
    RoutingTable routes() {
        return registry.routes();
    }

    /**
     * Solves a plan.
     *
     * @param request the request without devices and demands
     * @param demands all demands
     * @param routes the heaps
     * @throws HeapException if no heap meets the request
     */
    SolvedPlan solve(AllocationRequest request, List<Demand> demands, RoutingTable routes) {
        List<Demand> resolved = DeclaredKinds.of(routes).resolve(demands);
        AttemptLog attempts = attempts(request, routes);
        List<RegisteredHeap> heaps = suitable(request, routes, resolved, attempts);
        if (heaps.isEmpty()) {
            throw attempts.all();
        }
        List<Candidate> candidates = IntStream.range(0, heaps.size())
                .mapToObj(i -> candidate(request, heaps, i))
                .toList();
        return switch (Solver.solve(resolved, request.size(), candidates)) {
            case Solver.Solution solution -> SolvedPlan.of(routes, solution.demands(), solution.heaps(), request);
            case Solver.Conflict conflict ->
                throw HeapException.ofConflict(
                        "plan for a buffer of " + Bytes.text(request.size()),
                        conflict.conflict(),
                        refusals(attempts, heaps.stream(), conflict.demands()));
        };
    }

    /** {@return the heaps that a solution does not use, each with the reason} */
    List<Attempt> refusals(AllocationRequest request, List<Demand> demands, RoutingTable routes, SolvedPlan solved) {
        AttemptLog attempts = attempts(request, routes);
        List<RegisteredHeap> heaps =
                suitable(request, routes, DeclaredKinds.of(routes).resolve(demands), attempts);
        Stream<RegisteredHeap> unused =
                heaps.stream().filter(heap -> !solved.heaps().contains(heap.name()));
        return refusals(attempts, unused, Optional.of(solved.demands()));
    }

    private AttemptLog attempts(AllocationRequest request, RoutingTable routes) {
        return new AttemptLog(request, routes, new RequestMatcher(request, routes), absent);
    }

    private static List<Attempt> refusals(
            AttemptLog before, Stream<RegisteredHeap> heaps, Optional<MergedDemands> demands) {
        return Stream.concat(before.attempts().stream(), heaps.map(heap -> attempt(heap, demands)))
                .toList();
    }

    /** Heaps that the request names keep their order. Others of equal priority are asked by scarcity. */
    private static Candidate candidate(AllocationRequest request, List<RegisteredHeap> heaps, int turn) {
        RegisteredHeap heap = heaps.get(turn);
        boolean ordered = !request.heaps().isEmpty() || request.mask().isPresent();
        int rank = turn;
        while (!ordered
                && rank > 0
                && heaps.get(rank - 1).description().priority()
                        == heap.description().priority()) {
            rank--;
        }
        return new Candidate(heap.name(), rank, heap.description().facts());
    }

    private static Attempt attempt(RegisteredHeap heap, Optional<MergedDemands> merged) {
        HeapFacts facts = heap.description().facts();
        String reason = merged.map(demands -> facts.sizeOf(demands.size()) > facts.largestSize()
                        ? tooLarge(facts)
                        : demands.unmetBy(facts).stream()
                                .map(value -> value.kind().name() + "=" + value)
                                .collect(Collectors.joining(", ", "it does not meet ", "")))
                .orElse("the demands contradict each other");
        return new Attempt(heap.name(), Errno.ENODEV, reason);
    }

    private static String tooLarge(HeapFacts facts) {
        return "its largest buffer is " + Bytes.text(facts.largestSize());
    }

    /**
     * Returns the heaps that meet the request apart from its demands, in the order in which a request without demands
     * would ask them, and notes the others.
     */
    private static List<RegisteredHeap> suitable(
            AllocationRequest request, RoutingTable routes, List<Demand> demands, AttemptLog attempts) {
        RequestMatcher matcher = new RequestMatcher(request, routes);
        boolean protectedToo = !request.heaps().isEmpty()
                || request.mask().isPresent()
                || request.requirement().isPresent()
                || demands.stream()
                        .anyMatch(demand -> demand.kind().equals(ConstraintKind.PROTECTED)
                                && !demand.value().isAny());
        List<RegisteredHeap> suitable = new ArrayList<>();
        for (RegisteredHeap heap : asked(request, routes, attempts)) {
            HeapFacts facts = heap.description().facts();
            if (!matcher.metBy(heap)) {
                attempts.unsuitable(heap);
            } else if (facts.sizeOf(request.size()) > facts.largestSize()) {
                attempts.absent(heap, tooLarge(facts));
            } else if (!protectedToo && facts.flag(HeapProperties.PROTECTED)) {
                attempts.absent(heap, "it is protected, and serves only requests that demand protected memory");
            } else {
                suitable.add(heap);
            }
        }
        return suitable;
    }

    private static List<RegisteredHeap> asked(AllocationRequest request, RoutingTable routes, AttemptLog attempts) {
        List<RegisteredHeap> asked = new ArrayList<>();
        if (request.mask().isPresent()) {
            for (long places = routes.places(request.mask().getAsLong()); places != 0; places &= places - 1) {
                asked.add(routes.first(places));
            }
        } else if (request.heaps().isEmpty()) {
            for (int turn = 0; turn < routes.size(); turn++) {
                asked.add(routes.inOrder(turn));
            }
        }
        for (String name : request.heaps()) {
            RegisteredHeap named = routes.named(name);
            if (named == null) {
                attempts.unknown(name);
            } else {
                asked.add(named);
            }
        }
        return asked;
    }
}
