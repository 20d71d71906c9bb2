// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/** Lines of a key and a value. Non-printing characters in either are escaped. */
final class Facts {
    private final StringBuilder text = new StringBuilder();

    Facts add(String key, String value) {
        text.append(text.isEmpty() ? "" : "\n")
                .append(String.format("%-22s%s", Printable.of(key), Printable.of(value)));
        return this;
    }

    Facts addSize(String key, long bytes) {
        return add(key, bytes < 1024 ? bytes + " bytes" : bytes + " bytes (" + Bytes.text(bytes) + ")");
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
