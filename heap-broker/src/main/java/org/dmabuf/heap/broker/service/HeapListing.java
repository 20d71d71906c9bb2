// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.account.UsageSnapshot;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.CallGate;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.HeapStanding;
import org.dmabuf.heap.broker.heap.LastUsage;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;

/**
 * List that {@code heaps()} returns: each heap with its standing, its usage and its charges. It calls no heap's
 * code on the calling thread.
 */
public final class HeapListing {
    /** The longest wait for the usage of all heaps together, in nanoseconds. */
    private static final long WAIT = TimeUnit.SECONDS.toNanos(1);

    private static final String COMPONENT_ID = "component.id";
    private static final LastUsage.Answer NO_ANSWER = new LastUsage.Answer(HeapUsage.unknown(), Duration.ZERO);

    private final HeapRegistry registry;
    private final AbsentHeaps absent;
    /** The usages of heaps that serve, by gate, because a heap keeps its gate when its properties change. */
    private final Map<CallGate, LastUsage> usages = new ConcurrentHashMap<>();

    public HeapListing(HeapRegistry registry, AbsentHeaps absent) {
        this.registry = registry;
        this.absent = absent;
    }

    /**
     * Lists the heaps for one client.
     *
     * @param rules the current permissions
     * @param client the client that asks
     * @return every known heap
     */
    public List<HeapInfo> heaps(Rules rules, ClientId client) {
        return heaps(new PlainRefusal(rules, client)::of);
    }

    /** {@return every known heap, without the reason why a client's plain request is refused} */
    List<HeapInfo> heaps() {
        return heaps(heap -> Optional.empty());
    }

    private List<HeapInfo> heaps(Function<HeapDescription, Optional<String>> plainRefusal) {
        List<HeapInfo> infos = new ArrayList<>();
        RoutingTable routes;
        List<HeapRegistry.Departed> departed;
        synchronized (registry) { // one snapshot: a heap that leaves or returns in between would be missing
            routes = registry.routes();
            departed = registry.departed();
        }
        Map<CallGate, LastUsage.Answer> answers = answers(routes);
        Set<HeapAccount> counted = new HashSet<>(); // heaps of one name share an account, which only the first shows
        AbsentHeaps.Now now = absent.now();
        for (HeapStanding listed : routes.listed()) {
            RegisteredHeap heap = listed.heap();
            // A service without an object belongs to a component that failed, whose own entry has the reason.
            if (heap.exporter() == null
                    && now.isFailed(heap.description().properties().get(COMPONENT_ID))) {
                continue;
            }
            boolean asked = listed.state() == HeapState.SERVING || listed.state() == HeapState.DRAINING;
            String hanging = asked ? heap.account().reaper().hanging() : "";
            infos.add(info(
                            heap.description(),
                            listed.state() == HeapState.SERVING && !hanging.isEmpty()
                                    ? HeapState.HANGING
                                    : listed.state(),
                            reason(listed.reason(), hanging),
                            answers.getOrDefault(heap.gate(), NO_ANSWER),
                            counted.add(heap.account()) ? Optional.of(heap.account()) : Optional.empty())
                    .plainRefusal(
                            listed.state() == HeapState.SERVING
                                    ? plainRefusal.apply(heap.description())
                                    : Optional.empty())
                    .build());
        }
        for (HeapRegistry.Departed left : departed) {
            UsageSnapshot charged = left.account().snapshot();
            infos.add(info(
                            left.description(),
                            HeapState.DEPARTED,
                            reason(
                                    charged.liveBuffers() > 0
                                            ? "it has left; its buffers are still in use"
                                            : "it has left; other holders still use its memory",
                                    left.account().reaper().hanging()),
                            NO_ANSWER,
                            Optional.of(left.account()))
                    .build());
        }
        for (UnavailableHeaps.Unavailable heap : now.all()) {
            infos.add(HeapInfo.of(heap.name(), heap.retried() ? HeapState.WAITING : HeapState.FAILED)
                    .reason(Optional.of(heap.reason()).filter(reason -> !reason.isEmpty()))
                    .properties(Map.of(HeapProperties.NAME, heap.name()))
                    .bundle(heap.bundle())
                    .build());
        }
        return List.copyOf(infos);
    }

    private static HeapInfo.Builder info(
            HeapDescription heap,
            HeapState state,
            String reason,
            LastUsage.Answer usage,
            Optional<HeapAccount> charged) {
        UsageRecord.Builder record = UsageRecord.builder().heap(heap.name());
        charged.ifPresent(account -> account.counts(account.snapshot().to(record)));
        return HeapInfo.of(heap.name(), state)
                .reason(reason.isEmpty() ? Optional.empty() : Optional.of(reason))
                .properties(heap.properties())
                .bundle(heap.bundle())
                .usage(usage.usage(), usage.age())
                .charged(record.build());
    }

    private static String reason(String standing, String hanging) {
        return standing.isEmpty() || hanging.isEmpty() ? standing + hanging : standing + "; " + hanging;
    }

    /** Submits a query to every heap that serves, and then waits for all answers together. */
    private Map<CallGate, LastUsage.Answer> answers(RoutingTable routes) {
        Map<CallGate, RegisteredHeap> serving = new HashMap<>();
        for (HeapStanding listed : routes.listed()) {
            if (listed.state() == HeapState.SERVING) {
                serving.put(listed.heap().gate(), listed.heap());
            }
        }
        usages.keySet().retainAll(serving.keySet());
        serving.forEach((gate, heap) ->
                usages.computeIfAbsent(gate, first -> new LastUsage()).ask(heap));
        long deadline = System.nanoTime() + WAIT;
        Map<CallGate, LastUsage.Answer> answers = new HashMap<>();
        serving.forEach((gate, heap) -> {
            LastUsage usage = usages.get(gate);
            if (usage != null) { // null if another listing has removed it, because its heap has left
                answers.put(gate, usage.await(heap.account().reaper().hangs() ? System.nanoTime() : deadline));
            }
        });
        return answers;
    }
}
