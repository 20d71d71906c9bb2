// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Range of numbers, both ends included. */
final class RangeValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;
    private static final Pattern BITS = Pattern.compile("([1-9][0-9]?)bit");
    private static final int LONG_BITS = 63;
    private static final int MOST_BITS = 64;

    private final long low;
    private final long high;

    private RangeValue(ConstraintKind kind, long low, long high) {
        super(kind);
        this.low = low;
        this.high = high;
    }

    static RangeValue read(ConstraintKind kind, String text) {
        if (text.equals(ANY)) {
            return new RangeValue(kind, 0, Long.MAX_VALUE);
        }
        Matcher bits = BITS.matcher(text);
        if (bits.matches()) {
            int number = Integer.parseInt(bits.group(1));
            if (number > MOST_BITS) {
                throw new IllegalArgumentException();
            }
            return new RangeValue(kind, 0, number >= LONG_BITS ? Long.MAX_VALUE : (1L << number) - 1);
        }
        int dash = text.indexOf('-');
        long low = Numbers.parse(text.substring(0, Math.max(0, dash)));
        long high = Numbers.parse(text.substring(dash + 1));
        if (low > high) {
            throw new IllegalArgumentException();
        }
        return new RangeValue(kind, low, high);
    }

    @Override
    ConstraintValue and(ConstraintValue other) {
        RangeValue range = (RangeValue) other;
        long from = Math.max(low, range.low);
        long to = Math.min(high, range.high);
        return from > to ? null : new RangeValue(kind(), from, to);
    }

    @Override
    boolean metBy(HeapFacts facts, long size) {
        return facts.isWithin(kind().fact(), low, high);
    }

    @Override
    public boolean isAny() {
        return low == 0 && high == Long.MAX_VALUE;
    }

    @Override
    String text() {
        boolean bits = low == 0 && high > 0 && Long.bitCount(high + 1) == 1;
        return bits ? Long.numberOfTrailingZeros(high + 1) + "bit" : Numbers.hex(low) + "-" + Numbers.hex(high);
    }
}
