// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dmabuf.heap.linux.text.SimilarName;

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

    /** {@return the PID that was probably meant} */
    Optional<String> nearest(String word) {
        return SimilarName.of(word, settings.keySet().stream().sorted());
    }
}
