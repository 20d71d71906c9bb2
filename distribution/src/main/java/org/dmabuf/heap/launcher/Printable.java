// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * Text of foreign origin, made safe for one line of a log or terminal. Such text is the name of a file, a header of a
 * bundle, or the message of an exception that quotes one of them.
 *
 * <p>Control characters, line ends, invisible format characters (including those that change the direction of writing)
 * and unpaired surrogates become {@code \}{@code uXXXX} escapes of their UTF-16 code units. Every other character stays
 * as it is, including the backslash, so escaping a text twice changes nothing. A class of heap-linux has the same rule
 * for the bundles; the launcher does not depend on it.
 */
final class Printable {
    private Printable() {}

    /** {@return the text on one line; {@code "null"} for null} */
    static String of(String text) {
        if (text == null) {
            return "null";
        }
        if (text.codePoints().noneMatch(Printable::hides)) {
            return text;
        }
        StringBuilder printable = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(character -> {
            if (hides(character)) {
                for (char unit : Character.toChars(character)) {
                    printable.append(String.format("\\u%04x", (int) unit));
                }
            } else {
                printable.appendCodePoint(character);
            }
        });
        return printable.toString();
    }

    /** {@return an exception for a stack trace: the same frames, with each message on one line; null for null} */
    static Throwable of(Throwable thrown) {
        return thrown == null ? null : copy(thrown, Collections.newSetFromMap(new IdentityHashMap<>()));
    }

    /** Leaves out a cause that was already copied, as in a circle of causes. */
    private static Throwable copy(Throwable thrown, Set<Throwable> copied) {
        copied.add(thrown);
        Throwable cause = thrown.getCause();
        Throwable copy = new Copy(text(thrown), cause == null || copied.contains(cause) ? null : copy(cause, copied));
        copy.setStackTrace(thrown.getStackTrace());
        for (Throwable suppressed : thrown.getSuppressed()) {
            if (!copied.contains(suppressed)) {
                copy.addSuppressed(copy(suppressed, copied));
            }
        }
        return copy;
    }

    /** An exception of foreign code may throw from its own {@code toString}. */
    private static String text(Throwable thrown) {
        try {
            return of(thrown.toString());
        } catch (RuntimeException | StackOverflowError e) {
            return thrown.getClass().getName();
        }
    }

    private static boolean hides(int character) {
        return switch (Character.getType(character)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.SURROGATE -> true;
            default -> false;
        };
    }

    /** Copy of an exception that prints like the original. */
    private static final class Copy extends Throwable {
        private static final long serialVersionUID = 1L;

        private final String text;

        Copy(String text, Throwable cause) {
            super(text, cause);
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
