// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.linux.text.Printable;

/**
 * Refusal of a command, as one printable sentence. Gogo prints an exception by its {@code toString}, and the sentence
 * can quote names and paths with any characters.
 */
final class CommandFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    CommandFailure(Exception cause) {
        this(cause.getMessage(), cause);
    }

    CommandFailure(String sentence, Exception cause) {
        super(Printable.of(sentence), cause);
    }

    @Override
    public String toString() {
        return getMessage();
    }
}
