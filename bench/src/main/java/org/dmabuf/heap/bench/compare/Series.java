// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

/**
 * Times of one contender of a row.
 *
 * @param contender its name
 * @param nanos nanoseconds for each operation, by turn
 */
public record Series(String contender, double[] nanos) {
    /** {@return the spread in nanoseconds} */
    public Quantiles quantiles() {
        return Quantiles.of(nanos);
    }
}
