// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/** Set of permitted words; without a set, all words are permitted. */
final class WordsValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;

    /** Null if all words are permitted; sorted and never changed afterwards. */
    @SuppressWarnings("serial") // a TreeSet
    private final SortedSet<String> words;

    private WordsValue(ConstraintKind kind, SortedSet<String> words) {
        super(kind);
        this.words = words;
    }

    static WordsValue read(ConstraintKind kind, String text) {
        return new WordsValue(kind, text.equals(ANY) ? null : Words.parse(kind, text));
    }

    /** {@return whether a word is permitted} */
    boolean permits(String word) {
        return words == null || words.contains(word);
    }

    @Override
    ConstraintValue and(ConstraintValue other) {
        SortedSet<String> their = ((WordsValue) other).words;
        if (their == null || words == null) {
            return words == null ? other : this;
        }
        if (words.equals(their)) {
            return this;
        }
        SortedSet<String> both = new TreeSet<>(words);
        both.retainAll(their);
        return both.isEmpty() ? null : new WordsValue(kind(), both);
    }

    @Override
    boolean metBy(HeapFacts facts, long size) {
        Set<String> have = facts.words(kind().fact());
        return !have.isEmpty() && words.containsAll(have);
    }

    @Override
    public boolean isAny() {
        return words == null;
    }

    @Override
    public Set<String> words() {
        return words == null ? Set.of() : Set.copyOf(words);
    }

    @Override
    String text() {
        return words == null ? ANY : Words.text(words);
    }
}
