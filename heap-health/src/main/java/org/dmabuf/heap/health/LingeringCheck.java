// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import org.apache.felix.hc.api.FormattingResultLog;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;

/**
 * Check that holders outside the gateway keep no more than a number of bytes of any heap.
 *
 * @param monitor source of the figures
 * @param most the number of bytes
 */
record LingeringCheck(HeapMonitor monitor, long most) implements HealthCheck {
    @Override
    public Result execute() {
        FormattingResultLog log = new FormattingResultLog();
        // without an entry, the result is a warning
        log.debug("more than {} lingering bytes of a heap are a warning", most);
        for (UsageRecord heap : monitor.usageByHeap()) {
            String name = heap.heap().orElseThrow();
            if (heap.lingeringBytes() > most) {
                log.warn(
                        "{} bytes of heap '{}' linger in {} closed buffers that other holders keep",
                        heap.lingeringBytes(),
                        name,
                        heap.lingeringBuffers());
            } else {
                log.debug("{} bytes of heap '{}' linger", heap.lingeringBytes(), name);
            }
        }
        return new Result(log);
    }
}
