// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Limit of a figure.
 *
 * @param group the group of the figure's row
 * @param row the row's name
 * @param contender the contender that is judged
 * @param relation of the contender to the other one
 * @param other the other contender; empty for {@link Relation#ALONE}
 * @param limit the most that is permitted: a ratio, or nanoseconds
 * @param explanation why a miss is accepted; empty if it is not
 */
public record Target(
        String group, String row, String contender, Relation relation, String other, double limit, String explanation) {
    /** Kind of a figure. */
    public enum Relation {
        /** The contender's time. */
        ALONE,
        /** The contender's time divided by the other one's, in the median of the turns. */
        RATIO,
        /** The contender's time less the other one's, in the median of the turns. */
        DIFFERENCE
    }

    /** {@return the figure: a ratio, or nanoseconds; empty if it was not measured} */
    public OptionalDouble result(List<Row> rows) {
        Optional<Row> found = rows.stream()
                .filter(one -> one.group().equals(group) && one.name().equals(row))
                .findFirst();
        Optional<Series> judged = found.flatMap(one -> one.series(contender));
        if (relation == Relation.ALONE) {
            return judged.map(series -> OptionalDouble.of(series.quantiles().median()))
                    .orElse(OptionalDouble.empty());
        }
        Optional<Series> reference = found.flatMap(one -> one.series(other));
        if (judged.isEmpty() || reference.isEmpty()) {
            return OptionalDouble.empty();
        }
        return OptionalDouble.of(Row.medianOf(
                judged.get(), reference.get(), (one, two) -> relation == Relation.RATIO ? one / two : one - two));
    }

    /** {@return whether a result misses the limit and no explanation accepts it} */
    public boolean fails(OptionalDouble result) {
        return misses(result) && explanation.isEmpty();
    }

    /** {@return whether a result exceeds the limit} */
    public boolean misses(OptionalDouble result) {
        return result.isPresent() && result.getAsDouble() > limit;
    }

    /** {@return the figure in words} */
    public String figure() {
        return switch (relation) {
            case ALONE -> contender;
            case RATIO -> contender + " / " + other;
            case DIFFERENCE -> contender + " - " + other;
        };
    }

    /** {@return a result or the limit with its unit} */
    public String text(double value) {
        return relation == Relation.RATIO ? String.format(Locale.ROOT, "%.3fx", value) : Time.text(value);
    }
}
