// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.util.List;
import java.util.Set;
import org.dmabuf.heap.linux.component.SettingsFile;
import org.dmabuf.heap.linux.text.Printable;

/** Check of a file's settings against those that its component has. */
final class SettingCheck {
    private SettingCheck() {}

    /**
     * Finds settings that a component does not know.
     *
     * @param file as a person is shown it
     * @param entries of the file
     * @param known the component's settings, empty where they cannot be known
     * @return a sentence for each
     */
    static List<String> findings(String file, List<SettingsFile.Entry> entries, Set<String> known) {
        return entries.stream()
                .filter(entry -> !known.isEmpty() && !entry.key().isEmpty() && !known.contains(entry.key()))
                .filter(entry -> !entry.key().startsWith("service.") && !entry.key().startsWith("."))
                .map(entry -> "unknown setting " + Printable.of(entry.key()) + " in " + file + ", line "
                        + entry.line() + ": expected one of " + String.join(", ", known))
                .toList();
    }
}
