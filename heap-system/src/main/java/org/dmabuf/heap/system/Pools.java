// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.time.Duration;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.text.Bytes;

/** The settings of the pools, as words. */
final class Pools {
    private final HeapSettings settings;

    Pools(HeapSettings settings) {
        this.settings = settings;
    }

    /**
     * Reads the settings.
     *
     * @param config as it came
     * @return what the pools may keep
     * @throws HeapException {@link Errno#EINVAL} with what is wrong and what would be right
     */
    PoolBudget budget(SystemHeap.Config config) {
        PoolBudget budget = PoolBudget.none()
                .withRecycled(settings.bytes("pool.recycle", config.pool_recycle()))
                .withIdle(Duration.ofSeconds(
                        settings.number("pool.idle.s", config::pool_idle_s, 1, Integer.MAX_VALUE)));
        for (String entry : HeapSettings.words(config.pool_prewarm())) {
            budget = prewarmed(budget, entry);
        }
        return budget;
    }

    private PoolBudget prewarmed(PoolBudget budget, String entry) {
        String[] parts = entry.split("=", -1);
        if (parts.length == 2) {
            try {
                return budget.withPrewarmed(Bytes.parse(parts[0]), Integer.parseInt(parts[1]));
            } catch (ArithmeticException | IllegalArgumentException e) {
                // no such size or number, or more than there are bytes
            }
        }
        throw settings.wrong("pool.prewarm", entry, "SIZE=COUNT, for instance 1M=8");
    }
}
