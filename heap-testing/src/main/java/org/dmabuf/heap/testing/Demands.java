// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.HashMap;
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

/**
 * Demands of one request, as the real broker solves them, but for rules that involve several kinds: memory that is
 * protected and mapped is a shortage here and a contradiction there.
 */
final class Demands {
    /** The largest size that can be rounded up to pages, as for a request. */
    private static final long LARGEST_SIZE = Long.MAX_VALUE - 65_535;

    private final List<Demand> all;
    private final long requested;

    Demands(List<Demand> all, long requested) {
        this.all = all;
        this.requested = requested;
    }

    /** {@return one value of each kind, empty if two demands contradict each other} */
    private Optional<Map<ConstraintKind, ConstraintValue>> merged() {
        Map<ConstraintKind, ConstraintValue> merged = new HashMap<>();
        for (Demand demand : all) {
            ConstraintValue before = merged.getOrDefault(demand.kind(), demand.value());
            Optional<ConstraintValue> both = before.merge(demand.value());
            if (both.isEmpty()) {
                return Optional.empty();
            }
            merged.put(demand.kind(), both.get());
        }
        long size = size(merged);
        // A heap's alignment is a power of two, and so is the alignment of a request.
        boolean aligned = Long.bitCount(number(merged, ConstraintKind.ALIGNMENT, 1)) == 1;
        return aligned && size >= 0 && size <= number(merged, ConstraintKind.SIZE_MAX, Long.MAX_VALUE)
                ? Optional.of(merged)
                : Optional.empty();
    }

    /** {@return the size raised and rounded up as demanded, or a negative number if it is too large} */
    private long size(Map<ConstraintKind, ConstraintValue> merged) {
        long granule = number(merged, ConstraintKind.GRANULE, 1);
        long granules = Math.ceilDiv(Math.max(requested, number(merged, ConstraintKind.SIZE_MIN, 0)), granule);
        return granules > LARGEST_SIZE / granule ? -1 : granules * granule;
    }

    private static long number(Map<ConstraintKind, ConstraintValue> merged, ConstraintKind kind, long absent) {
        return merged.containsKey(kind) ? merged.get(kind).number().orElse(absent) : absent;
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

    /** {@return the number of buffers that all devices hold together} */
    long buffers() {
        return all.stream()
                .filter(demand -> demand.kind().equals(ConstraintKind.BUFFERS))
                .mapToLong(demand -> demand.value().number().orElse(0))
                .sum();
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
        Optional<Map<ConstraintKind, ConstraintValue>> merged = merged();
        if (merged.isEmpty() || serving.isEmpty()) {
            throw refusal(heaps);
        }
        boolean readOnly = merged.get().containsKey(ConstraintKind.READONLY);
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
