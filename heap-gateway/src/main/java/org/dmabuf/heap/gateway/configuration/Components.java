// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What the installed bundles can be configured with: of each PID the settings, or no settings where they cannot be
 * known. Immutable.
 */
final class Components {
    /** A component whose settings cannot be known, or which tells by itself what it does not know. */
    static final Set<String> ANY = Set.of();

    private final Map<String, Set<String>> settings;

    Components(Map<String, Set<String>> settings) {
        this.settings = Map.copyOf(settings);
    }

    /** {@return whether a component has this PID} */
    boolean has(String pid) {
        return settings.containsKey(pid);
    }

    /** {@return the settings that a component has, empty where that cannot be known} */
    Set<String> settings(String pid) {
        return new TreeSet<>(settings.getOrDefault(pid, ANY));
    }

    /** {@return the PID that was probably meant: at most a quarter of its letters differ} */
    Optional<String> nearest(String word) {
        TreeMap<Integer, String> byDistance = new TreeMap<>();
        for (String one : new TreeSet<>(settings.keySet())) {
            byDistance.putIfAbsent(distance(word.toLowerCase(Locale.ROOT), one.toLowerCase(Locale.ROOT)), one);
        }
        return Optional.ofNullable(byDistance.firstEntry())
                .filter(best -> best.getKey() <= Math.max(1, word.length() / 4))
                .map(Map.Entry::getValue);
    }

    /** Counts letters to insert, remove or replace, by Levenshtein's rows. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
