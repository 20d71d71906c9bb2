// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

/** A command that was refused. It says its sentence and no more: Gogo prints an exception as its {@code toString}. */
final class CommandFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    CommandFailure(Exception cause) {
        this(cause.getMessage(), cause);
    }

    CommandFailure(String sentence, Exception cause) {
        super(sentence, cause);
    }

    @Override
    public String toString() {
        return getMessage();
    }
}
