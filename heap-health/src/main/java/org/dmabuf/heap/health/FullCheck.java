// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import java.util.OptionalLong;
import org.apache.felix.hc.api.FormattingResultLog;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;

/**
 * Check that no heap uses more than a share of its memory or quota.
 *
 * @param monitor source of the figures
 * @param percent the share
 */
record FullCheck(HeapMonitor monitor, int percent) implements HealthCheck {
    @Override
    public Result execute() {
        FormattingResultLog log = new FormattingResultLog();
        // without an entry, the result is a warning
        log.debug("a heap above {} % of its memory or quota is a warning", percent);
        for (HeapInfo heap : monitor.heaps()) {
            OptionalLong capacity = heap.usage().capacity();
            OptionalLong free = heap.usage().free();
            if (capacity.isPresent() && free.isPresent()) {
                check(log, heap.name(), capacity.getAsLong() - free.getAsLong(), capacity.getAsLong(), "memory");
            }
            UsageRecord charged = heap.charged();
            charged.limit()
                    .ifPresent(quota ->
                            check(log, heap.name(), charged.liveBytes() + charged.lingeringBytes(), quota, "quota"));
        }
        return new Result(log);
    }

    private void check(FormattingResultLog log, String heap, long used, long most, String what) {
        if (used > most / 100.0 * percent) {
            log.warn("heap '{}' uses {} of {} bytes of its {}", heap, used, most, what);
        } else {
            log.debug("heap '{}' uses {} of {} bytes of its {}", heap, used, most, what);
        }
    }
}
