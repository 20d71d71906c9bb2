// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.linux.text.Printable;

/** Check of a file's name against the components that there are. */
final class NameCheck {
    /** Endings that are written for .cfg. An editor's backup has another, and so has a file that was put aside. */
    private static final Set<String> MEANT =
            Set.of(".cfg.txt", ".conf", ".cfg.conf", ".cnf", ".ini", ".txt", ".properties", ".config.txt");

    private final String folder;
    private final Components components;

    /**
     * @param folder as a person is shown it
     * @param components that there are
     */
    NameCheck(String folder, Components components) {
        this.folder = folder;
        this.components = components;
    }

    /** {@return whether File Install reads a file of this name} */
    static boolean isRead(String name) {
        return name.endsWith(".cfg") || name.endsWith(".config");
    }

    /** {@return the PID that a file configures: what stands before the first hyphen is a factory's} */
    static String pid(String name) {
        String whole = name.substring(0, name.lastIndexOf('.'));
        int hyphen = whole.indexOf('-');
        return hyphen < 0 ? whole : whole.substring(0, hyphen);
    }

    /**
     * Checks a name.
     *
     * @param name of a file
     * @return a sentence, empty where there is nothing to say
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
                + ": expected the name of a component, and none has " + Printable.of(pid)
                + components.nearest(pid).map(near -> "; there is " + near).orElse(""));
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
                + ": expected one that ends in .cfg, since no other file is read");
    }
}
