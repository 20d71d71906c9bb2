// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.OptionalLong;

/** Number of which a fact is a multiple. */
final class MultipleValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;

    private final long factor;

    private MultipleValue(ConstraintKind kind, long factor) {
        super(kind);
        this.factor = factor;
    }

    static MultipleValue read(ConstraintKind kind, String text) {
        long factor = text.equals(ANY) ? 1 : Numbers.parse(text);
        if (factor == 0) {
            throw new IllegalArgumentException();
        }
        return new MultipleValue(kind, factor);
    }

    @Override
    ConstraintValue and(ConstraintValue other) {
        long their = ((MultipleValue) other).factor;
        long left = factor / greatestCommonDivisor(factor, their);
        return left > Long.MAX_VALUE / their ? null : new MultipleValue(kind(), left * their);
    }

    private static long greatestCommonDivisor(long one, long another) {
        long a = one;
        long b = another;
        while (b != 0) {
            long rest = a % b;
            a = b;
            b = rest;
        }
        return a;
    }

    @Override
    boolean metBy(HeapFacts facts, long size) {
        OptionalLong fact = fact(facts, size);
        return fact.isPresent() && fact.getAsLong() % factor == 0;
    }

    @Override
    public boolean isAny() {
        return factor == 1;
    }

    @Override
    public OptionalLong number() {
        return OptionalLong.of(factor);
    }

    @Override
    String text() {
        return Numbers.text(factor);
    }
}
