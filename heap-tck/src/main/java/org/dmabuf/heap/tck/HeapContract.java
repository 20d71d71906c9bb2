// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.HeapUnderTest.Company;

/**
 * Contract that every heap must keep, as a list of cases for one heap.
 *
 * <p>The list has the same names in the same order for every heap, so that runs on different machines can be compared
 * name by name. A case that does not apply is listed with its {@link ContractCase#skipReason}:
 * {@code heap.mappable=false}, {@code heap.export.readonly=false}, or a capacity that is too small for the case. Where
 * an announced property implies a refusal, another case checks that refusal.
 *
 * <p><b>A heap that does not check sizes can take the machine down:</b> one case requests a size that no machine has.
 * It does so only after the heap has refused an alignment above the announced one.
 *
 * <p>Immutable.
 */
public final class HeapContract {
    private final List<ContractCase> cases;

    private HeapContract(List<ContractCase> cases) {
        this.cases = cases;
    }

    /**
     * Returns the contract of one heap. If the heap reports a capacity, some small buffers are allocated and released,
     * to measure how much of the capacity one takes.
     *
     * @param exporter the heap
     * @param serviceProperties the properties of its service
     * @return a contract in which every case applies unless the properties exclude it
     * @throws org.dmabuf.heap.HeapException when the heap does not answer within a minute, or the thread is interrupted
     */
    public static HeapContract of(HeapExporter exporter, Map<String, ?> serviceProperties) {
        return of(new HeapUnderTest(exporter, serviceProperties, Company.ALONE));
    }

    static HeapContract of(HeapUnderTest heap) {
        return new HeapContract(List.copyOf(heap.listed(() -> Stream.of(
                        AnnouncementCases.of(heap),
                        ContentCases.of(heap),
                        MappingCases.of(heap),
                        BracketCases.of(heap),
                        DescriptorCases.of(heap),
                        ReadOnlyExportCases.of(heap),
                        RefusalCases.of(heap),
                        LifeCases.of(heap),
                        ThreadCases.of(heap),
                        CapacityCases.of(heap),
                        TruthCases.of(heap))
                .flatMap(List::stream)
                .toList())));
    }

    /**
     * Skips cases, for instance those that a device is known to fail. Keep the list of skips under version control, for
     * instance as a file in the format of {@link java.util.Properties}.
     *
     * @param reasons reason for each skip, by the name of the case
     * @return a contract with the same cases, of which those are skipped
     * @throws IllegalArgumentException for an unknown name, for instance of a renamed case, and for a skip without a
     *     reason
     */
    public HeapContract skipping(Map<String, String> reasons) {
        Set<String> unknown = new HashSet<>(reasons.keySet());
        cases.forEach(c -> unknown.remove(c.name()));
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("invalid skips = " + unknown + ": expected names of cases");
        }
        Set<String> unreasoned = reasons.entrySet().stream()
                .filter(e -> e.getValue().isBlank())
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
        if (!unreasoned.isEmpty()) {
            throw new IllegalArgumentException("invalid skips of " + unreasoned + ": expected a reason for each");
        }
        return new HeapContract(cases.stream()
                .map(c -> reasons.containsKey(c.name()) ? c.skippedBecause(reasons.get(c.name())) : c)
                .toList());
    }

    /** {@return all cases, including those that do not apply} */
    public List<ContractCase> cases() {
        return cases;
    }
}
