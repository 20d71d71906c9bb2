// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.Collections;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/** Set of excluded words. */
final class NoneOfValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;

    /** Sorted and never changed afterwards. */
    @SuppressWarnings("serial") // a TreeSet
    private final SortedSet<String> words;

    private NoneOfValue(ConstraintKind kind, SortedSet<String> words) {
        super(kind);
        this.words = words;
    }

    static NoneOfValue read(ConstraintKind kind, String text) {
        return new NoneOfValue(kind, text.equals(ANY) ? Collections.emptySortedSet() : Words.parse(kind, text));
    }

    @Override
    ConstraintValue and(ConstraintValue other) {
        SortedSet<String> both = new TreeSet<>(words);
        both.addAll(((NoneOfValue) other).words);
        return new NoneOfValue(kind(), both);
    }

    @Override
    boolean metBy(HeapFacts facts, long size) {
        Set<String> have = facts.words(kind().fact());
        return !have.isEmpty() && Collections.disjoint(words, have);
    }

    @Override
    public boolean isAny() {
        return words.isEmpty();
    }

    @Override
    public Set<String> words() {
        return Set.copyOf(words);
    }

    @Override
    String text() {
        return words.isEmpty() ? ANY : Words.text(words);
    }
}
