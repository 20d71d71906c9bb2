// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.time.Duration;

/**
 * Limits of the measurement of a row.
 *
 * @param warmUp time before the measurement, until the code is compiled
 * @param budget time after which no further turn begins
 * @param fewest turns that are taken in any case
 * @param most turns
 * @param loop allocations of the published loop
 */
public record Effort(Duration warmUp, Duration budget, int fewest, int most, int loop) {
    static final Effort FULL = new Effort(Duration.ofMillis(600), Duration.ofSeconds(5), 11, 400, 5000);
    static final Effort QUICK = new Effort(Duration.ofMillis(400), Duration.ofMillis(400), 5, 60, 200);
}
