// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import org.dmabuf.heap.linux.text.Printable;

/**
 * Labels of a sample as text. The values may come from vendors, so they are escaped. Unprintable characters are escaped
 * as in listings, because two names that differ only in such a character must not look the same. Immutable.
 *
 * @param pairs the labels without their braces
 */
record Labels(String pairs) {
    static final Labels NONE = new Labels("");

    static Labels of(String name, String value) {
        return NONE.and(name, value);
    }

    Labels and(String name, String value) {
        return new Labels((pairs.isEmpty() ? "" : pairs + ",") + name + "=\"" + escaped(value) + '"');
    }

    private static String escaped(String value) {
        return Printable.of(value).replace("\\", "\\\\").replace("\"", "\\\"");
    }

    @Override
    public String toString() {
        return pairs.isEmpty() ? "" : "{" + pairs + "}";
    }
}
