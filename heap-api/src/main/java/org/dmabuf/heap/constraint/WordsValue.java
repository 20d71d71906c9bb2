// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.Collections;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Set of permitted words; without a set, all words are permitted. */
final class WordsValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;
    private static final Pattern WORD = Pattern.compile("[A-Za-z0-9_.:/@-]{1,64}");

    /** Null if all words are permitted; sorted and never changed afterwards. */
    @SuppressWarnings("serial") // a TreeSet
    private final SortedSet<String> words;

    private WordsValue(ConstraintKind kind, SortedSet<String> words) {
        super(kind);
        this.words = words;
    }

    static WordsValue read(ConstraintKind kind, String text) {
        return new WordsValue(kind, text.equals(ANY) ? null : words(kind, text));
    }

    /**
     * Parses words.
     *
     * @throws IllegalArgumentException without a message, for another form or a word that the kind does not permit
     */
    static SortedSet<String> words(ConstraintKind kind, String text) {
        SortedSet<String> words = new TreeSet<>();
        for (String word : text.split(",", -1)) {
            if (!WORD.matcher(word).matches() || word.equals(ANY) || !kind.permits(word)) {
                throw new IllegalArgumentException();
            }
            words.add(word);
        }
        return words;
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
    String text() {
        return String.join(",", words == null ? Collections.singleton(ANY) : words);
    }
}
