// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.OptionalLong;

/** Bound of a number, from above or from below as the kind's operator states. */
final class BoundValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;

    private final long bound;

    private BoundValue(ConstraintKind kind, long bound) {
        super(kind);
        this.bound = bound;
    }

    static BoundValue read(ConstraintKind kind, String text) {
        long none = kind.operator() == Operator.AT_MOST ? Long.MAX_VALUE : 0;
        if (text.equals(ANY)) {
            return new BoundValue(kind, none);
        }
        long bound = Numbers.parse(text);
        if (kind.equals(ConstraintKind.BOUNDARY) && Long.bitCount(bound) != 1) { // the smaller divides the larger
            throw new IllegalArgumentException();
        }
        return new BoundValue(kind, bound);
    }

    private boolean isUpper() {
        return kind().operator() == Operator.AT_MOST;
    }

    @Override
    ConstraintValue and(ConstraintValue other) {
        long their = ((BoundValue) other).bound;
        return new BoundValue(kind(), isUpper() ? Math.min(bound, their) : Math.max(bound, their));
    }

    @Override
    boolean metBy(HeapFacts facts, long size) {
        OptionalLong fact = fact(facts, facts.sizeOf(size));
        return fact.isPresent() && (isUpper() ? fact.getAsLong() <= bound : fact.getAsLong() >= bound);
    }

    @Override
    public boolean isAny() {
        return bound == (isUpper() ? Long.MAX_VALUE : 0);
    }

    @Override
    public OptionalLong number() {
        return OptionalLong.of(bound);
    }

    @Override
    String text() {
        return Numbers.text(bound);
    }
}
