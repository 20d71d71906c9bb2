// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.text;

/**
 * Escaping of foreign text for one line of a log or terminal. Such text is a sender's message, a buffer's name, a path,
 * or the message of an exception that quotes one of them.
 *
 * <p>Control characters, line ends, invisible format characters (those that change the direction of writing, too) and
 * unpaired surrogates become {@code \}{@code uXXXX} of their UTF-16 code units. Every other character, including the
 * backslash, stays unchanged, so that escaping a text twice has no further effect.
 */
public final class Printable {
    private Printable() {}

    /**
     * Escapes unprintable characters.
     *
     * @param text any text, or null
     * @return the same text on one line; {@code "null"} for null
     */
    public static String of(String text) {
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
                    printable.append("\\u");
                    String hex = Integer.toHexString(unit);
                    printable.append("0".repeat(4 - hex.length())).append(hex);
                }
            } else {
                printable.appendCodePoint(character);
            }
        });
        return printable.toString();
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
}
