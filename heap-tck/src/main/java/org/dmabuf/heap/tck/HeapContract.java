// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.spi.HeapExporter;

/**
 * What every heap must do, as a list of cases for one heap.
 *
 * <p>The list holds the same names in the same order for every heap. A case that a heap's announcement rules out
 * ({@code heap.mappable=false}, {@code heap.export.readonly=false}, a capacity below what the case needs) is listed
 * with its {@link ContractCase#skipReason}; where the announcement promises a refusal, another case checks that
 * refusal. So a run on a device can be compared with a run elsewhere, name by name.
 *
 * <p><b>A heap that does not check sizes can take the machine down:</b> one case asks for a size that no machine has.
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
     * The contract of one heap. Where a capacity is told, some small buffers are allocated and released, to see what
     * one takes of it.
     *
     * @param exporter the heap
     * @param serviceProperties what it is announced with
     * @return every case applies, except as the properties say
     */
    public static HeapContract of(HeapExporter exporter, Map<String, ?> serviceProperties) {
        return of(new HeapUnderTest(exporter, serviceProperties, ProcessState.PATIENCE));
    }

    static HeapContract of(HeapUnderTest heap) {
        return new HeapContract(Stream.of(
                        AnnouncementCases.of(heap),
                        ContentCases.of(heap),
                        MappingCases.of(heap),
                        BracketCases.of(heap),
                        DescriptorCases.of(heap),
                        ReadOnlyExportCases.of(heap),
                        RefusalCases.of(heap),
                        LifeCases.of(heap))
                .flatMap(List::stream)
                .toList());
    }

    /**
     * Skips cases, for instance those that a device is known not to keep. The list of skips belongs into version
     * control: a text in the format of {@link java.util.Properties} does.
     *
     * @param reasons why, by the name of the case
     * @return a contract with the same cases, those skipped
     * @throws IllegalArgumentException for a name that is no case, as after a renaming, and for a skip without a reason
     */
    public HeapContract skipping(Map<String, String> reasons) {
        Set<String> unknown = new HashSet<>(reasons.keySet());
        cases.forEach(c -> unknown.remove(c.name()));
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("skipped, and no case of the contract: " + unknown);
        }
        Set<String> unreasoned = reasons.entrySet().stream()
                .filter(e -> e.getValue().isBlank())
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
        if (!unreasoned.isEmpty()) {
            throw new IllegalArgumentException("skipped without a reason: " + unreasoned);
        }
        return new HeapContract(cases.stream()
                .map(c -> reasons.containsKey(c.name()) ? c.skippedBecause(reasons.get(c.name())) : c)
                .toList());
    }

    /** {@return all cases, those that do not apply included} */
    public List<ContractCase> cases() {
        return cases;
    }
}
