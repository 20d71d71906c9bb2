// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import org.dmabuf.heap.DurationHistogram;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.UsageRecord;

/** Figures of a monitor as metrics. Any thread may call it. */
final class Figures {
    private static final String HEAP = "heap";
    private static final String CLIENT = "client";

    private final HeapMonitor monitor;
    private final ClientNames names;
    private final String others;

    /** @param clients the most clients with figures of their own */
    Figures(HeapMonitor monitor, int clients) {
        this.monitor = monitor;
        names = new ClientNames(clients);
        others = "; the client '" + ClientNames.OTHER + "' is the sum of all clients after the first " + clients + ".";
    }

    /** {@return all figures of this moment} */
    String text(Format format) {
        Exposition out = new Exposition(format);
        List<HeapInfo> infos = monitor.heaps();
        states(out, infos);
        ownFigures(out, infos);
        Map<String, UsageRecord> heaps = new TreeMap<>();
        monitor.usageByHeap().forEach(record -> heaps.put(record.heap().orElseThrow(), record));
        charges(out, HEAP, heaps, ".");
        charges(out, CLIENT, names.byName(monitor::usageByClient), others);
        shares(out, monitor.usageByClientAndHeap());
        monitor.memoryStall()
                .ifPresent(stall -> out.counter(
                                "dmaheap_memory_stall_seconds_total",
                                "Time that tasks of the gateway's cgroup, or of the machine, waited for memory (PSI).")
                        .add(Labels.NONE, stall));
        return out.end();
    }

    private static void states(Exposition out, List<HeapInfo> infos) {
        Exposition.Family heaps = out.gauge("dmaheap_heaps", "Heaps in each state.");
        Map<HeapState, Long> byState = infos.stream()
                .collect(Collectors.groupingBy(
                        HeapInfo::state, () -> new EnumMap<>(HeapState.class), Collectors.counting()));
        for (HeapState state : HeapState.values()) {
            heaps.add(Labels.of("state", state.name().toLowerCase(Locale.ROOT)), byState.getOrDefault(state, 0L));
        }
        Exposition.Family serving =
                out.gauge("dmaheap_heap_serving", "Whether a heap takes requests: 1, or 0 for a heap that does not.");
        Map<String, Boolean> byName = new TreeMap<>();
        infos.stream()
                .filter(heap -> heap.state() != HeapState.REFUSED) // it may have any name
                .forEach(heap -> byName.merge(heap.name(), serves(heap), Boolean::logicalOr));
        byName.forEach((name, serves) -> serving.add(Labels.of(HEAP, name), serves ? 1 : 0));
    }

    private static boolean serves(HeapInfo heap) {
        return heap.state() == HeapState.SERVING || heap.state() == HeapState.HANGING;
    }

    private static void ownFigures(Exposition out, List<HeapInfo> infos) {
        Map<String, HeapUsage> usages = new TreeMap<>();
        infos.stream().filter(Figures::serves).forEach(heap -> usages.put(heap.name(), heap.usage()));
        own(out, usages, "capacity_bytes", "Total capacity of a heap.", HeapUsage::capacity);
        own(out, usages, "free_bytes", "Memory that can be allocated now.", HeapUsage::free);
        own(
                out,
                usages,
                "largest_free_bytes",
                "Size of the largest buffer that can be allocated now.",
                HeapUsage::largestFree);
        own(
                out,
                usages,
                "quarantined_bytes",
                "Released memory that a holder may still access.",
                HeapUsage::quarantined);
        own(out, usages, "large_folio_bytes", "Memory in large folios.", HeapUsage::inLargeFolios);
        Exposition.Family fragmentation = out.gauge(
                "dmaheap_heap_fragmentation_ratio",
                "Share of the free memory that the largest single buffer cannot use, 0 to 1.");
        usages.forEach((heap, usage) ->
                usage.fragmentation().ifPresent(share -> fragmentation.add(Labels.of(HEAP, heap), share)));
        Exposition.Family pooled = out.gauge("dmaheap_heap_pool_bytes", "Memory in a pool; it counts as free.");
        pools(usages, (labels, pool) -> pooled.add(labels, pool.bytes()));
        Exposition.Family hits = out.counter("dmaheap_heap_pool_hits_total", "Requests that a pool served.");
        pools(usages, (labels, pool) -> hits.add(labels, pool.hits()));
        Exposition.Family misses =
                out.counter("dmaheap_heap_pool_misses_total", "Requests of a pool's kind that it could not serve.");
        pools(usages, (labels, pool) -> misses.add(labels, pool.misses()));
    }

    private static void own(
            Exposition out,
            Map<String, HeapUsage> usages,
            String name,
            String help,
            Function<HeapUsage, OptionalLong> figure) {
        Exposition.Family family = out.gauge("dmaheap_heap_" + name, help);
        usages.forEach((heap, usage) ->
                figure.apply(usage).ifPresent(bytes -> family.add(Labels.of(HEAP, heap), bytes)));
    }

    private static void pools(Map<String, HeapUsage> usages, BiConsumer<Labels, PoolUsage> each) {
        usages.forEach((heap, usage) -> {
            Map<String, PoolUsage> byName = new TreeMap<>();
            usage.pools().forEach(pool -> byName.put(pool.name(), pool)); // a vendor's heap may repeat a name
            byName.forEach((name, pool) -> each.accept(Labels.of(HEAP, heap).and("pool", name), pool));
        });
    }

    /** Writes the accounts of one kind, heaps or clients. */
    private static void charges(Exposition out, String kind, Map<String, UsageRecord> accounts, String end) {
        Accounts of = new Accounts(out, kind, accounts, end);
        of.gauge("live_buffers", "Buffers that are referenced or mapped in the gateway", UsageRecord::liveBuffers);
        of.gauge("live_bytes", "Memory that is referenced or mapped in the gateway", UsageRecord::liveBytes);
        of.gauge("lingering_buffers", "Closed buffers that other holders keep", UsageRecord::lingeringBuffers);
        of.gauge("lingering_bytes", "Memory in closed buffers that other holders keep", UsageRecord::lingeringBytes);
        of.gauge("peak_bytes", "Most live and lingering memory since the metrics began", UsageRecord::peakBytes);
        of.quota();
        of.counter("allocations_total", "Buffers that were allocated or adopted", UsageRecord::allocations);
        of.counter("allocated_bytes_total", "Memory that was allocated or adopted", UsageRecord::allocatedBytes);
        of.failures();
        of.counter("leaked_buffers_total", "References that were lost without a close", UsageRecord::leakedBuffers);
        of.histogram(
                "allocation_seconds", "Time in the heap's code for one allocation in 64", UsageRecord::allocationTimes);
        of.histogram("wait_seconds", "Time that requests waited for memory", UsageRecord::waitTimes);
    }

    /**
     * Accounts of one kind.
     *
     * @param out receives their families
     * @param kind the name of their label
     * @param all the accounts by the value of that label
     * @param end the end of each description
     */
    private record Accounts(Exposition out, String kind, Map<String, UsageRecord> all, String end) {
        private String name(String figure) {
            return "dmaheap_" + kind + "_" + figure;
        }

        private Labels labels(String name) {
            return Labels.of(kind, name);
        }

        void gauge(String figure, String help, ToLongFunction<UsageRecord> value) {
            Exposition.Family family = out.gauge(name(figure), help + end);
            all.forEach((name, record) -> family.add(labels(name), value.applyAsLong(record)));
        }

        void quota() {
            Exposition.Family family = out.gauge(name("quota_bytes"), "Quota of live and lingering memory" + end);
            all.forEach((name, record) -> record.limit().ifPresent(bytes -> family.add(labels(name), bytes)));
        }

        void counter(String figure, String help, ToLongFunction<UsageRecord> value) {
            Exposition.Family family = out.counter(name(figure), help + end);
            all.forEach((name, record) -> family.add(labels(name), value.applyAsLong(record)));
        }

        void failures() {
            Exposition.Family family = out.counter(name("failures_total"), "Requests that failed, by cause" + end);
            all.forEach((name, record) -> record.failures()
                    .forEach((cause, count) -> family.add(labels(name).and("cause", cause.name()), count)));
        }

        void histogram(String figure, String help, Function<UsageRecord, DurationHistogram> value) {
            Exposition.Family family = out.histogram(name(figure), help + end);
            all.forEach((name, record) -> family.add(labels(name), value.apply(record)));
        }
    }

    /** Writes the memory of each client on each heap. */
    private void shares(Exposition out, List<UsageRecord> records) {
        Map<Labels, UsageRecord> shares = new LinkedHashMap<>();
        records.forEach(record -> shares.merge(
                Labels.of(HEAP, record.heap().orElseThrow()).and(CLIENT, names.name(record)), record, UsageSum::of));
        Exposition.Family live =
                out.gauge("dmaheap_client_heap_live_bytes", "Live memory of a client on one heap" + others);
        shares.forEach((labels, record) -> live.add(labels, record.liveBytes()));
        Exposition.Family lingering =
                out.gauge("dmaheap_client_heap_lingering_bytes", "Lingering memory of a client on one heap" + others);
        shares.forEach((labels, record) -> lingering.add(labels, record.lingeringBytes()));
        Exposition.Family quota = out.gauge("dmaheap_client_heap_quota_bytes", "Quota of a client on one heap.");
        shares.forEach((labels, record) -> record.limit().ifPresent(bytes -> quota.add(labels, bytes)));
    }
}
