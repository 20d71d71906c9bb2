// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.time.Duration;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.text.Bytes;

/** Parser of the settings of the pools. */
final class Pools {
    private final HeapSettings settings;

    Pools(HeapSettings settings) {
        this.settings = settings;
    }

    /**
     * Reads the settings.
     *
     * @param config the configuration
     * @return the memory that the pools may keep
     * @throws HeapException {@link Errno#EINVAL} with the invalid setting and the expected values
     */
    PoolBudget budget(SystemHeap.Config config) {
        PoolBudget budget = PoolBudget.none()
                .withRecycled(settings.bytes("pool.recycle", config.pool_recycle()))
                .withIdle(
                        Duration.ofSeconds(settings.number("pool.idle.s", config::pool_idle_s, 1, Integer.MAX_VALUE)));
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
                // not a size or a number, or the product overflows; refused below
            }
        }
        throw settings.wrong("pool.prewarm", entry, "SIZE=COUNT, for instance 1M=8");
    }
}
