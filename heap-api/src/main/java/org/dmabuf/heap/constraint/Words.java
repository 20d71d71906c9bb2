// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Text of a set of words, separated by commas. The bytes of other characters in a word, and the first character of the
 * word {@code any}, are written as {@code %} with two hexadecimal digits.
 */
final class Words {
    /** The name of a heap fits, whatever its characters are. */
    private static final Pattern WORD = Pattern.compile("(?:[A-Za-z0-9_.:/@-]|%[0-9A-F]{2}){1,768}");

    private static final String PLAIN = "_.:/@-";
    private static final int HEX = 16;

    private Words() {}

    /**
     * Parses words.
     *
     * @throws IllegalArgumentException without a message, for another form or a word that the kind does not permit
     */
    static SortedSet<String> parse(ConstraintKind kind, String text) {
        SortedSet<String> words = new TreeSet<>();
        for (String one : text.split(",", -1)) {
            if (!WORD.matcher(one).matches() || one.equals(ConstraintValue.ANY)) {
                throw new IllegalArgumentException();
            }
            String word = decoded(one);
            if (!kind.permits(word)) {
                throw new IllegalArgumentException();
            }
            words.add(word);
        }
        return words;
    }

    private static String decoded(String text) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int i = 0; i < text.length(); i++) {
            boolean isCode = text.charAt(i) == '%';
            bytes.write(isCode ? Integer.parseInt(text, i + 1, i + 3, HEX) : text.charAt(i));
            i += isCode ? 2 : 0;
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /** {@return the text of words, which {@link #parse} reads} */
    static String text(SortedSet<String> words) {
        return words.stream().map(Words::text).collect(Collectors.joining(","));
    }

    /** {@return the text of one word} */
    static String text(String word) {
        StringBuilder text = new StringBuilder();
        for (byte one : word.getBytes(StandardCharsets.UTF_8)) {
            boolean isPlain = one >= '0' && one <= '9'
                    || one >= 'A' && one <= 'Z'
                    || one >= 'a' && one <= 'z'
                    || PLAIN.indexOf(one) >= 0;
            boolean isFirstOfAny = text.isEmpty() && word.equals(ConstraintValue.ANY);
            if (isPlain && !isFirstOfAny) {
                text.append((char) one);
            } else {
                text.append(String.format("%%%02X", one));
            }
        }
        return text.toString();
    }
}
