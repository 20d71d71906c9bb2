// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Value of an unknown kind. No heap meets it, not even if its text is {@code any}. */
final class UnknownValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;
    private static final Pattern TEXT = Pattern.compile("[\\p{Graph}&&[^&]]{1,1024}");
    /** Separates the texts of merged values. No text contains it. */
    private static final String BOTH = "&";

    @SuppressWarnings("serial") // a TreeSet
    private final SortedSet<String> texts;

    private UnknownValue(ConstraintKind kind, SortedSet<String> texts) {
        super(kind);
        this.texts = texts;
    }

    static UnknownValue read(ConstraintKind kind, String text) {
        SortedSet<String> texts = new TreeSet<>();
        for (String one : text.split(BOTH, -1)) {
            if (!TEXT.matcher(one).matches()) {
                throw new IllegalArgumentException();
            }
            texts.add(one);
        }
        return new UnknownValue(kind, texts);
    }

    @Override
    ConstraintValue and(ConstraintValue other) {
        SortedSet<String> both = new TreeSet<>(texts);
        both.addAll(((UnknownValue) other).texts);
        return new UnknownValue(kind(), both);
    }

    @Override
    boolean metBy(HeapFacts facts, long size) {
        return false;
    }

    @Override
    public boolean isAny() {
        return false;
    }

    @Override
    String text() {
        return String.join(BOTH, texts);
    }
}
