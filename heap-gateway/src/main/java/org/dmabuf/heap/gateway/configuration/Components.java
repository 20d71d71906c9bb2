// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dmabuf.heap.linux.text.SimilarName;

/**
 * Snapshot of the PIDs that can be configured, each with its settings. The settings of a PID are absent if they cannot
 * be determined. Immutable.
 */
final class Components {
    /** Stands for a component whose settings cannot be determined, or that reports unknown settings itself. */
    static final Set<String> ANY = Set.of();

    private final Map<String, Set<String>> settings;

    Components(Map<String, Set<String>> settings) {
        this.settings = Map.copyOf(settings);
    }

    /** {@return whether a component has this PID} */
    boolean has(String pid) {
        return settings.containsKey(pid);
    }

    /** {@return the settings that a component has; empty if they cannot be determined} */
    Set<String> settings(String pid) {
        return new TreeSet<>(settings.getOrDefault(pid, ANY));
    }

    /** {@return the PID that is most similar to a misspelt one} */
    Optional<String> nearest(String word) {
        return SimilarName.of(word, settings.keySet().stream().sorted());
    }
}
