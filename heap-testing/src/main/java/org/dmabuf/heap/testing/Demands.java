// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.ConstraintValue;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.DemandConflict;
import org.dmabuf.heap.constraint.HeapFacts;

/** Demands of one request, as the real broker solves them. */
final class Demands {
    /** Two demands of a device that differ only in the place where they were read are one demand. */
    private record Key(String who, ConstraintValue value) {}

    private static final ConstraintValue NO_CPU = ConstraintValue.parse(ConstraintKind.CPU, "none");
    /** The largest size that can be rounded up to pages, as for a request. */
    private static final long LARGEST_SIZE = Long.MAX_VALUE - 65_535;

    private final List<Demand> all;
    private final long requested;

    Demands(List<Demand> all, long requested) {
        this.all = all;
        this.requested = requested;
    }

    /** {@return one value of each kind, by its name; empty if two demands contradict each other} */
    private Optional<Map<String, ConstraintValue>> merged() {
        Map<String, ConstraintValue> merged = new HashMap<>();
        for (Demand demand : all) {
            // A heap that comes later can declare an unknown kind, so that it contradicts no known one of its name.
            String key = demand.kind().isUnknown()
                    ? demand.kind().toString()
                    : demand.kind().name();
            ConstraintValue before = merged.getOrDefault(key, demand.value());
            Optional<ConstraintValue> both =
                    before.kind().equals(demand.kind()) ? before.merge(demand.value()) : Optional.empty();
            if (both.isEmpty()) {
                return Optional.empty();
            }
            merged.put(key, both.get());
        }
        long size = size(merged);
        // A heap's alignment is a power of two, and so is the alignment of a request.
        boolean aligned = Long.bitCount(number(merged, ConstraintKind.ALIGNMENT, 1)) == 1;
        ConstraintValue cpu = merged.getOrDefault(ConstraintKind.CPU.name(), NO_CPU);
        boolean open = demands(merged, ConstraintKind.MAPPABLE)
                || demands(merged, ConstraintKind.READONLY)
                || cpu.merge(NO_CPU).isEmpty();
        return aligned
                        && size >= 0
                        && size <= number(merged, ConstraintKind.SIZE_MAX, Long.MAX_VALUE)
                        && !(open && demands(merged, ConstraintKind.PROTECTED))
                ? Optional.of(merged)
                : Optional.empty();
    }

    private static boolean demands(Map<String, ConstraintValue> merged, ConstraintKind kind) {
        ConstraintValue value = merged.get(kind.name());
        return value != null && !value.isAny();
    }

    /** {@return the size raised and rounded up as demanded, or a negative number if it is too large} */
    private long size(Map<String, ConstraintValue> merged) {
        long granule = number(merged, ConstraintKind.GRANULE, 1);
        long granules = Math.ceilDiv(Math.max(requested, number(merged, ConstraintKind.SIZE_MIN, 0)), granule);
        return granules > LARGEST_SIZE / granule ? -1 : granules * granule;
    }

    private static long number(Map<String, ConstraintValue> merged, ConstraintKind kind, long absent) {
        ConstraintValue value = merged.get(kind.name());
        return value == null ? absent : value.number().orElse(absent);
    }

    private boolean metBy(InMemoryHeap heap) {
        HeapFacts facts = HeapFacts.of(heap.properties());
        return merged().filter(merged -> facts.sizeOf(size(merged)) <= facts.largestSize()
                        && merged.values().stream()
                                .filter(value -> !value.kind().equals(ConstraintKind.BUFFERS))
                                .allMatch(value -> value.isMetBy(facts, size(merged))))
                .isPresent();
    }

    private Stream<String> serving(List<InMemoryHeap> heaps) {
        return heaps.stream().filter(this::metBy).map(InMemoryHeap::name);
    }

    private Demands without(Demand dropped) {
        return new Demands(all.stream().filter(demand -> demand != dropped).toList(), requested);
    }

    private Demands distinct() {
        Map<Key, Demand> distinct = new LinkedHashMap<>();
        all.forEach(demand -> distinct.putIfAbsent(new Key(demand.who(), demand.value()), demand));
        return new Demands(List.copyOf(distinct.values()), requested);
    }

    /**
     * {@return the number of buffers that all devices hold together} Two sources that know one device do not double its
     * number.
     */
    long buffers() {
        Map<String, Long> byDevice = new HashMap<>();
        for (Demand demand : all) {
            if (demand.kind().equals(ConstraintKind.BUFFERS)) {
                byDevice.merge(demand.who(), demand.value().number().orElse(0), Math::max);
            }
        }
        return byDevice.values().stream()
                .reduce(0L, (one, other) -> other > Long.MAX_VALUE - one ? Long.MAX_VALUE : one + other);
    }

    /**
     * Shapes a request so that only heaps that meet the demands are asked.
     *
     * @param request the request
     * @param heaps the heaps that it would ask, in order, at least one
     * @return a request without demands
     * @throws HeapException with the conflict, if no heap meets all demands
     */
    AllocationRequest shape(AllocationRequest request, List<InMemoryHeap> heaps) {
        List<String> serving = serving(heaps).toList();
        Optional<Map<String, ConstraintValue>> merged = merged();
        if (merged.isEmpty() || serving.isEmpty()) {
            throw distinct().refusal(heaps);
        }
        boolean readOnly = demands(merged.get(), ConstraintKind.READONLY);
        long alignment = number(merged.get(), ConstraintKind.ALIGNMENT, 1);
        return request.withSize(size(merged.get()))
                .withAlignment(Math.max(request.alignment(), alignment))
                .withHeaps(serving.toArray(String[]::new))
                .withExport(
                        readOnly && request.export() == ExportMode.READ_WRITE ? ExportMode.READ_ONLY : request.export())
                .forDevices()
                .withDemands();
    }

    private HeapException refusal(List<InMemoryHeap> heaps) {
        boolean contradiction = merged().isEmpty();
        Demands core = this;
        for (Demand demand : all) {
            Demands rest = core.without(demand);
            boolean impossible = contradiction
                    ? rest.merged().isEmpty()
                    : rest.serving(heaps).findAny().isEmpty();
            core = impossible ? rest : core;
        }
        List<List<String>> remedies = core.all.stream()
                .map(demand -> without(demand).serving(heaps).toList())
                .toList();
        return HeapException.ofConflict(
                "plan for a buffer of " + requested + " bytes",
                DemandConflict.of(contradiction, core.all, remedies),
                heaps.stream()
                        .map(heap -> new Attempt(heap.name(), Errno.ENODEV, "it does not meet all demands"))
                        .toList());
    }
}
