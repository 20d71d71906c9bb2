// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.SettingsFile;
import org.dmabuf.heap.linux.text.Printable;

/** Check of a file's settings against the settings of its component. */
final class SettingCheck {
    /** Settings that every heap accepts, even if it does not describe them. */
    private static final Set<String> OF_HEAPS = Arrays.stream(HeapProperties.class.getFields())
            .filter(field -> Modifier.isStatic(field.getModifiers()) && field.getType() == String.class)
            .map(SettingCheck::value)
            .collect(Collectors.toUnmodifiableSet());

    /**
     * Settings that are not checked: those of the framework, private ones, and a name that begins with a byte order
     * mark. The mark has a report of its own.
     */
    private static final List<String> NOT_CLAIMED = List.of("service.", ".", "\uFEFF");

    private SettingCheck() {}

    private static String value(Field constant) {
        try {
            return (String) constant.get(null);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e); // getFields returns public fields only
        }
    }

    /**
     * Finds settings that a component does not know.
     *
     * @param file file as messages show it
     * @param entries settings in the file
     * @param known the component's settings; empty if they cannot be determined
     * @return a sentence for each unknown setting
     */
    static List<String> findings(String file, List<SettingsFile.Entry> entries, Set<String> known) {
        if (known.isEmpty()) {
            return List.of();
        }
        return entries.stream()
                .filter(entry -> !known.contains(entry.key()) && !OF_HEAPS.contains(entry.key()))
                .filter(entry -> NOT_CLAIMED.stream().noneMatch(entry.key()::startsWith))
                .map(entry -> "unknown setting " + Printable.of(entry.key()) + " in " + file + ", line " + entry.line()
                        + ": expected one of " + String.join(", ", known))
                .toList();
    }
}
