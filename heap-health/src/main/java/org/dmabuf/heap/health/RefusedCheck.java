// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import org.apache.felix.hc.api.FormattingResultLog;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;

/**
 * Check that each installed heap serves. A heap that was refused, failed or hangs is critical; one that waits or is
 * shadowed is a warning.
 *
 * @param monitor source of the states
 */
record RefusedCheck(HeapMonitor monitor) implements HealthCheck {
    @Override
    public Result execute() {
        FormattingResultLog log = new FormattingResultLog();
        for (HeapInfo heap : monitor.heaps()) {
            String reason = heap.reason().orElse("no reason is known");
            switch (heap.state()) {
                case REFUSED, FAILED, HANGING -> log.critical("heap '{}' {}: {}", heap.name(), heap.state(), reason);
                case WAITING, SHADOWED -> log.warn("heap '{}' {}: {}", heap.name(), heap.state(), reason);
                default -> log.debug("heap '{}' {}", heap.name(), heap.state());
            }
        }
        return new Result(log);
    }
}
