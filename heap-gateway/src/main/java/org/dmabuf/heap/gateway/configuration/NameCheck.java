// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.linux.text.Printable;

/** Check of a configuration file's name against the installed components. */
final class NameCheck {
    /** Endings that are probably meant as .cfg. An editor's backup and a file that was put aside have other endings. */
    private static final Set<String> MEANT =
            Set.of(".cfg.txt", ".conf", ".cfg.conf", ".cnf", ".ini", ".txt", ".properties", ".config.txt");

    private static final String PLAIN = ".cfg";
    private static final String TYPED = ".config";

    private final String folder;
    private final Components components;

    /**
     * @param folder folder as messages show it
     * @param components the installed components
     */
    NameCheck(String folder, Components components) {
        this.folder = folder;
        this.components = components;
    }

    /** {@return whether a file of this name is read} */
    static boolean isRead(String name) {
        return name.endsWith(PLAIN) || name.endsWith(TYPED);
    }

    /** {@return the name of the file that is read instead of a file, if it exists; the same PID would be in both} */
    static String preferred(String name) {
        return name.endsWith(TYPED) ? name.substring(0, name.length() - TYPED.length()) + PLAIN : "";
    }

    /** {@return the PID that a file configures: the part before the first hyphen is the PID of a factory} */
    static String pid(String name) {
        return parts(name)[0];
    }

    /** {@return the name of the instance of a factory; empty for the PID of a single component} */
    static String instance(String name) {
        String[] parts = parts(name);
        return parts.length == 1 ? "" : parts[1];
    }

    private static String[] parts(String name) {
        return name.substring(0, name.lastIndexOf('.')).split("(?<!^)-", 2);
    }

    /**
     * Checks a name.
     *
     * @param name name of a file
     * @return a sentence, or empty if the name is valid
     */
    Optional<String> finding(String name) {
        return isRead(name) ? unknown(name) : ending(name);
    }

    private Optional<String> unknown(String name) {
        String pid = pid(name);
        if (components.has(pid)) {
            return Optional.empty();
        }
        return Optional.of("invalid name " + Printable.of(name) + " in " + folder
                + ": expected the PID of a component, but no component has " + Printable.of(pid)
                + components
                        .nearest(pid)
                        .map(near -> "; the nearest is " + near)
                        .orElse(""));
    }

    private Optional<String> ending(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        boolean shouted = isRead(lower);
        boolean meant = MEANT.stream()
                .filter(lower::endsWith)
                .map(end -> name.substring(0, name.length() - end.length()))
                .anyMatch(base -> lower.contains(".cfg.") || components.has(pid(base + ".cfg")));
        if (!shouted && !meant) {
            return Optional.empty();
        }
        return Optional.of("invalid name " + Printable.of(name) + " in " + folder
                + ": expected a name that ends in .cfg, since other files are not read");
    }
}
