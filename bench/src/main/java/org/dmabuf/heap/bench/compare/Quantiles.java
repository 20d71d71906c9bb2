// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.Arrays;

/**
 * Spread of a series of values.
 *
 * @param p10 the value that a tenth of the series does not exceed
 * @param median the middle of the series
 * @param p90 the value that a tenth of the series exceeds
 * @param n the number of values
 */
public record Quantiles(double p10, double median, double p90, int n) {
    /** {@return the spread of at least one value} */
    public static Quantiles of(double... values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return new Quantiles(at(sorted, 0.1), at(sorted, 0.5), at(sorted, 0.9), sorted.length);
    }

    /** {@return the value at a share of sorted values, between two of them in proportion} */
    public static double at(double[] sorted, double share) {
        double place = share * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }
}
