// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class QuantilesTest {
    @Test
    void theOrderOfTheValuesDoesNotMatter() {
        assertEquals(new Quantiles(2, 6, 10, 11), Quantiles.of(11, 1, 10, 2, 9, 3, 8, 4, 7, 5, 6));
    }

    @Test
    void aQuantileLiesBetweenTwoValuesInProportion() {
        assertEquals(new Quantiles(1.1, 1.5, 1.9, 2), Quantiles.of(1, 2));
    }

    @Test
    void oneValueIsEachQuantile() {
        assertEquals(new Quantiles(7, 7, 7, 1), Quantiles.of(7));
    }
}
