// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.ConstraintValue;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.DemandConflict;
import org.dmabuf.heap.constraint.HeapFacts;

/**
 * Report on devices for {@code dmaheap:constraints}: the demands of each, their conjunction, the heaps that meet it and
 * what is not stated about them, and the reason of each other heap.
 */
final class DeviceReport {
    private static final String UNKNOWN = "unknown";

    /** The demands of each device, in the order of the command line. */
    private final Map<String, List<Demand>> demands;

    private final long size;
    private final long buffers;
    private final List<String> heaps;
    /** What is not stated, by the heap for which it matters. */
    private final Map<String, String> unproven;

    private final List<Attempt> refusals;
    /** The refusal of the plan; empty if heaps meet the demands. */
    private final Optional<HeapRefusedException> refusal;

    private DeviceReport(
            Map<String, List<Demand>> demands,
            long size,
            long buffers,
            List<String> heaps,
            Map<String, String> unproven,
            List<Attempt> refusals,
            Optional<HeapRefusedException> refusal) {
        this.demands = demands;
        this.size = size;
        this.buffers = buffers;
        this.heaps = heaps;
        this.unproven = unproven;
        this.refusals = refusals;
        this.refusal = refusal;
    }

    /**
     * Asks the broker about devices.
     *
     * @param broker asks the sources
     * @param devices the devices
     * @param size requested bytes
     * @return its answers of one moment
     */
    static DeviceReport of(HeapBroker broker, String[] devices, long size) {
        AllocationRequest request = AllocationRequest.of(size).forDevices(devices);
        Map<String, List<Demand>> demands = new LinkedHashMap<>();
        for (String device : devices) {
            demands.put(device, broker.demandsOf(device));
        }
        try {
            AllocationPlan plan = broker.plan(request);
            List<String> heaps = plan.heaps();
            return new DeviceReport(
                    demands,
                    plan.size(),
                    plan.buffers(),
                    heaps,
                    unproven(broker, heaps, new Unproven(demands, plan.size())),
                    plan.refusals(),
                    Optional.empty());
        } catch (HeapRefusedException e) {
            return new DeviceReport(demands, size, 0, List.of(), Map.of(), e.attempts(), Optional.of(e));
        }
    }

    private static Map<String, String> unproven(HeapBroker broker, List<String> heaps, Unproven demands) {
        Map<String, Map<String, Object>> properties =
                broker.heaps().stream().collect(Collectors.toMap(HeapInfo::name, HeapInfo::properties, (a, _) -> a));
        Map<String, String> unproven = new LinkedHashMap<>();
        for (String heap : heaps) {
            demands.of(HeapFacts.of(properties.getOrDefault(heap, Map.of())))
                    .ifPresent(reason -> unproven.put(heap, reason));
        }
        return unproven;
    }

    /** {@return the report in lines of at most 80 characters} */
    String narrow() {
        return table().within(Table.WIDTH) + answer();
    }

    /** {@return the report with each place in full} */
    String wide() {
        return table() + answer();
    }

    private Table table() {
        Table table = new Table("DEVICE…", "KIND", "VALUE…", "…READ FROM");
        demands.forEach((device, its) -> {
            if (its.isEmpty()) {
                table.row(device, UNKNOWN, "-", "no installed bundle knows this device");
            }
            for (Demand demand : its) {
                String kind = demand.kind().name();
                table.row(demand.who(), kind, demand.value().toString(), demand.why());
            }
        });
        return table;
    }

    private String answer() {
        Facts facts = new Facts();
        together()
                .ifPresent(values -> facts.add(
                        "together",
                        String.join(
                                ", ",
                                values.entrySet().stream()
                                        .map(value -> value.getKey() + "=" + value.getValue())
                                        .toList())));
        facts.addSize("size", size);
        if (buffers > 0) {
            facts.add("buffers", "at least " + buffers);
        }
        facts.add(
                "heaps",
                refusal.map(e -> "none: " + OptionWords.of(e.getMessage())).orElse(String.join(", ", heaps)));
        StringBuilder text = new StringBuilder("\n\n").append(facts);
        String separator = "\n\n";
        for (Map.Entry<String, String> heap : unproven.entrySet()) {
            String line = heap.getKey() + ": permitted, not proven: " + heap.getValue();
            text.append(separator).append(Paragraph.of("", line, 2));
            separator = "\n";
        }
        for (Attempt other : refusals) {
            text.append(separator).append(Paragraph.of("", other.heap() + ": " + OptionWords.of(other.reason()), 2));
            separator = "\n";
        }
        return text.toString();
    }

    /**
     * {@return one value of each kind, by its name; empty if there are no demands or two of them contradict each other}
     * The numbers of buffers are not among them, because they are added.
     */
    private Optional<Map<String, String>> together() {
        Map<String, ConstraintValue> merged = new TreeMap<>();
        for (List<Demand> its : demands.values()) {
            for (Demand demand : its) {
                ConstraintValue before = merged.getOrDefault(demand.kind().name(), demand.value());
                Optional<ConstraintValue> both =
                        before.kind().equals(demand.kind()) ? before.merge(demand.value()) : Optional.empty();
                if (both.isEmpty()) {
                    return Optional.empty();
                }
                merged.put(demand.kind().name(), both.get());
            }
        }
        merged.remove(ConstraintKind.BUFFERS.name());
        Map<String, String> texts = new LinkedHashMap<>();
        merged.forEach((kind, value) -> texts.put(kind, value.toString()));
        return texts.isEmpty() ? Optional.empty() : Optional.of(texts);
    }

    /** {@return the report for JSON; an empty list is left out} */
    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        put(
                map,
                "demands",
                demands.values().stream()
                        .flatMap(List::stream)
                        .map(DeviceReport::json)
                        .toList());
        List<String> unknown = new ArrayList<>(demands.keySet());
        unknown.removeIf(device -> !demands.get(device).isEmpty());
        put(map, UNKNOWN, unknown);
        together().ifPresent(values -> map.put("together", values));
        map.put("size", size);
        if (buffers > 0) {
            map.put("buffers", buffers);
        }
        put(map, "heaps", heaps);
        put(
                map,
                "notProven",
                unproven.entrySet().stream()
                        .map(heap -> json(heap.getKey(), heap.getValue()))
                        .toList());
        put(
                map,
                "others",
                refusals.stream()
                        .map(other -> json(other.heap(), other.reason()))
                        .toList());
        refusal.ifPresent(e -> map.put("refusal", e.getMessage()));
        refusal.flatMap(HeapRefusedException::conflict).ifPresent(conflict -> map.put("conflict", json(conflict)));
        return map;
    }

    private static void put(Map<String, Object> map, String name, List<?> values) {
        if (!values.isEmpty()) {
            map.put(name, values);
        }
    }

    private static Map<String, Object> json(Demand demand) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("device", demand.who());
        map.put("kind", demand.kind().name());
        map.put("value", demand.value().toString());
        map.put("place", demand.why());
        return map;
    }

    private static Map<String, Object> json(String heap, String reason) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("heap", heap);
        map.put("reason", reason);
        return map;
    }

    private static Map<String, Object> json(DemandConflict conflict) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("contradiction", conflict.isContradiction());
        map.put(
                "demands",
                conflict.demands().stream()
                        .map(demand -> {
                            Map<String, Object> one = json(demand);
                            put(one, "heapsWithout", conflict.servingWithout(demand));
                            return one;
                        })
                        .toList());
        return map;
    }
}
