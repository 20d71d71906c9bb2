// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.linux.text.Printable;

/** Line breaking of a sentence for a terminal. */
final class Paragraph {
    private Paragraph() {}

    /**
     * Breaks a sentence between words. A word that is longer than a line gets a line to itself.
     *
     * @param first start of the first line
     * @param sentence text of foreign origin; non-printing characters are escaped
     * @param indent number of blanks at the start of the other lines
     * @return the lines
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
