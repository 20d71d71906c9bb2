// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.List;
import java.util.Optional;
import java.util.function.DoubleBinaryOperator;
import java.util.stream.IntStream;

/**
 * Comparison of some contenders that took turns.
 *
 * @param group the group that it belongs to
 * @param name for instance a size
 * @param series the times of each contender, with equally many turns
 */
public record Row(String group, String name, List<Series> series) {
    public Row {
        series = List.copyOf(series);
    }

    /** {@return the times of a contender; empty if it did not take part} */
    public Optional<Series> series(String contender) {
        return series.stream().filter(one -> one.contender().equals(contender)).findFirst();
    }

    /** {@return the names of the contenders} */
    public List<String> contenders() {
        return series.stream().map(Series::contender).toList();
    }

    /**
     * Compares two contenders turn by turn, so that other load of the machine affects both.
     *
     * @return the median of the turns' results
     */
    static double medianOf(Series one, Series other, DoubleBinaryOperator operator) {
        return Quantiles.of(IntStream.range(0, one.nanos().length)
                        .mapToDouble(turn -> operator.applyAsDouble(one.nanos()[turn], other.nanos()[turn]))
                        .toArray())
                .median();
    }
}
