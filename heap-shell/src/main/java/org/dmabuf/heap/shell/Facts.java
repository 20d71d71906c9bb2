// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/** Lines of a key and a value, which fit a terminal. Non-printing characters in either are escaped. */
final class Facts {
    private static final int KEY = 22;

    private final StringBuilder text = new StringBuilder();

    Facts add(String key, String value) {
        return begin().append(Paragraph.of(column(key), value, KEY));
    }

    /** Adds a value on one line, however long, so that a reader can compare it with the line below. */
    Facts addLine(String key, String value) {
        return begin().append(column(key) + Printable.of(value));
    }

    Facts addSize(String key, long bytes) {
        return add(key, size(bytes));
    }

    /** {@return a size in bytes, and from 1 KiB also in larger units} */
    static String size(long bytes) {
        return count(bytes, "byte") + (bytes < 1024 ? "" : " (" + Bytes.text(bytes) + ")");
    }

    /** {@return a number of things with their name, whose plural ends in s} */
    static String count(long number, String thing) {
        return number + " " + thing + (number == 1 ? "" : "s");
    }

    private static String column(String key) {
        return String.format("%-" + KEY + "s", Printable.of(key));
    }

    private Facts begin() {
        return text.isEmpty() ? this : append("\n");
    }

    private Facts append(String more) {
        text.append(more);
        return this;
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
