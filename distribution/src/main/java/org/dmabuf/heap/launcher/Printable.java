// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * Text of foreign origin, made safe for one line of a log or of a terminal. Such text is a file's name, a header of a
 * bundle, or the message of an exception that quotes one of them.
 *
 * <p>Control characters, line ends, invisible format characters (those that change the direction of writing, too) and
 * unpaired surrogates become {@code \}{@code uXXXX} of their UTF-16 code units. Every other character stays as it is,
 * the backslash too, so escaping text twice changes nothing. The bundles have the same rule in a class of heap-linux,
 * which the launcher does not depend on.
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

    /** {@return an exception to print a stack trace of: the same frames, each message on one line; null for null} */
    static Throwable of(Throwable thrown) {
        return thrown == null ? null : copy(thrown, Collections.newSetFromMap(new IdentityHashMap<>()));
    }

    /** A cause that was copied already, as in a circle of causes, is left out. */
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

    /** A vendor's exception may throw from its own {@code toString}. */
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

    /** Prints as the exception that it was made of. */
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
