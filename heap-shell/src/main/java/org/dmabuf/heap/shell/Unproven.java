// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.ConstraintValue;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.HeapFacts;

/**
 * Properties of memory about which a device states nothing, although it depends on them: physical addresses and runs.
 * Its demands permit a heap then, but do not prove that the device takes each of the heap's buffers. An acceptance in a
 * probe proves it for one buffer only.
 */
final class Unproven {
    private static final ConstraintValue ONE_RUN = ConstraintValue.parse(ConstraintKind.SG, "contiguous");

    private final Map<String, List<Demand>> demands;
    private final long size;

    /**
     * Holds the demands of a request.
     *
     * @param demands of each device
     * @param size bytes that are requested of the heaps
     */
    Unproven(Map<String, List<Demand>> demands, long size) {
        this.demands = demands;
        this.size = size;
    }

    /** {@return what is not stated, for a heap that meets all demands; empty if the heap is proven for all devices} */
    Optional<String> of(HeapFacts heap) {
        List<String> open = new ArrayList<>();
        demands.forEach((device, its) -> {
            List<String> absent = new ArrayList<>();
            if (!isMapped(its)) {
                if (!states(its, ConstraintKind.ADDRESS)) {
                    absent.add("no " + ConstraintKind.ADDRESS.name());
                }
                if (!states(its, ConstraintKind.SG) && !ONE_RUN.isMetBy(heap, size)) {
                    absent.add("no " + ConstraintKind.SG.name());
                }
            }
            if (!absent.isEmpty()) {
                open.add(device + " states " + String.join(" and ", absent));
            }
        });
        return open.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", open));
    }

    /** Returns whether the kernel reads the memory by a mapping, and divides it as the hardware needs. */
    private static boolean isMapped(List<Demand> demands) {
        return states(demands, ConstraintKind.MAPPABLE) && !states(demands, ConstraintKind.DMABUF);
    }

    private static boolean states(List<Demand> demands, ConstraintKind kind) {
        return demands.stream().anyMatch(demand -> demand.kind().equals(kind));
    }
}
