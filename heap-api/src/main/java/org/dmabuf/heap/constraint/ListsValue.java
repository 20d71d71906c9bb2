// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.io.Serializable;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Limits of the scatter lists of several devices. Each device maps the buffer for itself, so the limits of two devices
 * stay pairs: the fewest entries with the fewest bytes would refuse what both can use.
 *
 * <p>One entry of any length means that the memory is one physical run. The device adds up adjacent entries in this
 * case, so the length of the heap's entries does not matter.
 */
final class ListsValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;
    private static final String CONTIGUOUS = "contiguous";
    private static final Pattern PAIR = Pattern.compile("([1-9][0-9]{0,8})x([0-9a-zA-Z]+)");

    /** At most so many entries of at most so many bytes. */
    private record Limit(long entries, long bytes) implements Serializable {
        boolean isContiguous() {
            return entries == 1 && bytes == Long.MAX_VALUE;
        }

        /** Returns whether memory that meets this limit meets the other one, on every heap. */
        boolean implies(Limit other) {
            return entries <= other.entries && bytes <= other.bytes && (!isContiguous() || other.isContiguous());
        }

        boolean metBy(HeapFacts facts, long size) {
            return isContiguous() ? size <= facts.run() : Math.ceilDiv(size, Math.min(facts.entry(), bytes)) <= entries;
        }

        @Override
        public String toString() {
            return isContiguous() ? CONTIGUOUS : entries + "x" + (bytes == Long.MAX_VALUE ? ANY : Numbers.text(bytes));
        }
    }

    /** Sorted, and without a limit that another one implies. */
    @SuppressWarnings("serial") // an immutable list
    private final List<Limit> limits;

    private ListsValue(ConstraintKind kind, Stream<Limit> limits) {
        super(kind);
        List<Limit> all = limits.distinct().toList();
        this.limits = all.size() < 2
                ? all
                : all.stream()
                        .filter(limit -> all.stream().noneMatch(other -> other != limit && other.implies(limit)))
                        .sorted(Comparator.comparingLong(Limit::entries).thenComparingLong(Limit::bytes))
                        .toList();
    }

    static ListsValue read(ConstraintKind kind, String text) {
        return new ListsValue(
                kind,
                text.equals(ANY) ? Stream.of() : Stream.of(text.split(",", -1)).map(ListsValue::limit));
    }

    private static Limit limit(String text) {
        if (text.equals(CONTIGUOUS)) {
            return new Limit(1, Long.MAX_VALUE);
        }
        Matcher pair = PAIR.matcher(text);
        if (!pair.matches()) {
            throw new IllegalArgumentException();
        }
        long bytes = pair.group(2).equals(ANY) ? Long.MAX_VALUE : Numbers.parse(pair.group(2));
        if (bytes == 0) {
            throw new IllegalArgumentException();
        }
        return new Limit(Long.parseLong(pair.group(1)), bytes);
    }

    @Override
    ConstraintValue and(ConstraintValue other) {
        List<Limit> their = ((ListsValue) other).limits;
        return their.equals(limits) ? this : new ListsValue(kind(), Stream.concat(limits.stream(), their.stream()));
    }

    @Override
    boolean metBy(HeapFacts facts, long size) {
        long whole = facts.sizeOf(size);
        for (Limit limit : limits) {
            if (!limit.metBy(facts, whole)) {
                return false;
            }
        }
        return true;
    }

    @Override
    public boolean isAny() {
        return limits.isEmpty();
    }

    @Override
    String text() {
        return limits.isEmpty() ? ANY : limits.stream().map(Limit::toString).collect(Collectors.joining(","));
    }
}
