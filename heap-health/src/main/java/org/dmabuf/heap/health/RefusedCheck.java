// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import java.util.List;
import org.apache.felix.hc.api.FormattingResultLog;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Check that each installed heap serves. A heap that was refused, failed or hangs is critical; one that waits or is
 * shadowed, and a gateway without a heap, are warnings.
 *
 * @param monitor source of the states
 */
record RefusedCheck(HeapMonitor monitor) implements HealthCheck {
    @Override
    public Result execute() {
        FormattingResultLog log = new FormattingResultLog();
        List<HeapInfo> heaps = monitor.heaps();
        if (heaps.isEmpty()) {
            log.warn("the gateway has no heap");
        }
        for (HeapInfo heap : heaps) {
            String name = Printable.of(heap.name()); // a refused heap may have any name
            String reason = heap.reason().map(Printable::of).orElse("no reason is known");
            switch (heap.state()) {
                case REFUSED, FAILED, HANGING -> log.critical("heap '{}' {}: {}", name, heap.state(), reason);
                case WAITING, SHADOWED -> log.warn("heap '{}' {}: {}", name, heap.state(), reason);
                default -> log.debug("heap '{}' {}", name, heap.state());
            }
        }
        return new Result(log);
    }
}
