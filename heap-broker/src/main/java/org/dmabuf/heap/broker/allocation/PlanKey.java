// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.constraint.Demand;

/** Terms of a request on which its plan depends: all but its name and its timeout. */
record PlanKey(
        long size,
        List<String> heaps,
        OptionalLong mask,
        Optional<String> requirement,
        Set<String> emulations,
        long alignment,
        ExportMode export,
        List<String> devices,
        List<Demand> demands) {

    static PlanKey of(AllocationRequest request) {
        return new PlanKey(
                request.size(),
                request.heaps(),
                request.mask(),
                request.requirement(),
                request.emulations(),
                request.alignment(),
                request.export(),
                request.devices(),
                request.demands());
    }

    /** {@return a request with these terms, without devices and demands} */
    AllocationRequest withoutDemands() {
        AllocationRequest request = AllocationRequest.of(size)
                .withHeaps(heaps.toArray(String[]::new))
                .withEmulations(emulations.toArray(String[]::new))
                .withAlignment(alignment)
                .withExport(export);
        AllocationRequest masked = mask.isPresent() ? request.withMask(mask.getAsLong()) : request;
        return requirement.map(masked::withRequirement).orElse(masked);
    }
}
