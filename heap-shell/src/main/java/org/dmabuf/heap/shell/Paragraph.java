// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.linux.text.Printable;

/** A sentence on lines that fit a terminal. */
final class Paragraph {
    private Paragraph() {}

    /**
     * Breaks a sentence between words. A word that is longer than a line has one to itself.
     *
     * @param first what the first line begins with
     * @param sentence of foreign origin; what does not print is escaped
     * @param indent blanks that the other lines begin with
     * @return lines
     */
    static String of(String first, String sentence, int indent) {
        StringBuilder text = new StringBuilder(first);
        int column = first.length();
        boolean begins = true;
        for (String word : Printable.of(sentence).split(" ")) {
            if (!begins && column + 1 + word.length() > Table.WIDTH) {
                text.append('\n').append(" ".repeat(indent));
                column = indent;
                begins = true;
            }
            text.append(begins ? "" : " ").append(word);
            column += word.length() + (begins ? 0 : 1);
            begins = false;
        }
        return text.toString();
    }
}
