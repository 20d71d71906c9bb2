// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import org.apache.felix.hc.api.FormattingResultLog;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Check that no client has lost a buffer without closing it. A client that has leaked stays in the result until it is
 * gone, because its program has a fault.
 *
 * @param monitor source of the figures
 */
record LeakCheck(HeapMonitor monitor) implements HealthCheck {
    @Override
    public Result execute() {
        FormattingResultLog log = new FormattingResultLog();
        for (UsageRecord client : monitor.usageByClient()) {
            if (client.leakedBuffers() > 0) {
                log.warn(
                        "client {} has lost {} buffers without closing them; the log has their names",
                        Printable.of(client.client().orElseThrow().toString()),
                        client.leakedBuffers());
            }
        }
        log.debug("leaks are counted for each client that is listed");
        return new Result(log);
    }
}
