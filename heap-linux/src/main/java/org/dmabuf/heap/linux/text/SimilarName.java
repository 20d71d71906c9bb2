// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.text;

import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** Search for the known name that is most similar to a misspelt one. Any thread may call it. */
public final class SimilarName {
    /** Number of letters for each of which one may differ. */
    private static final int LETTERS_FOR_A_SLIP = 3;

    private SimilarName() {}

    /**
     * Compares a name with the known names, ignoring case.
     *
     * @param misspelt the misspelt name
     * @param names the known names
     * @return the most similar name, empty if all differ in more than every third letter
     */
    public static Optional<String> of(String misspelt, Stream<String> names) {
        int most = Math.max(1, misspelt.length() / LETTERS_FOR_A_SLIP);
        return names.filter(name -> distance(misspelt, name) <= most)
                .min(Comparator.comparingInt(name -> distance(misspelt, name)));
    }

    /** Counts the letters to change, add or remove, ignoring case. */
    private static int distance(String one, String other) {
        String from = one.toLowerCase(Locale.ROOT);
        String to = other.toLowerCase(Locale.ROOT);
        int[] row = new int[to.length() + 1];
        for (int j = 0; j <= to.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= from.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.length(); j++) {
                int changed = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(changed, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[to.length()];
    }
}
