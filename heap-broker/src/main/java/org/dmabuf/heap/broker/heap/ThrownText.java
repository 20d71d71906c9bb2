// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import org.dmabuf.heap.linux.text.Printable;

/** Text of a throwable that a heap's code threw. Its class may be the vendor's own, and its methods may fail. */
public final class ThrownText {
    private ThrownText() {}

    /** {@return its text on one line, or its class name if its toString fails} */
    public static String text(Throwable thrown) {
        try {
            return Printable.of(thrown.toString());
        } catch (Throwable e) {
            return thrown.getClass().getName();
        }
    }
}
