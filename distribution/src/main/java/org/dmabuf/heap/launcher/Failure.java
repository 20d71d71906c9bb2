// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

/**
 * Ends the program: the message is the one {@link Printable} sentence for standard error, {@link #status()} the exit
 * status.
 *
 * <p>Checked, because each place that can end the program should be seen in a signature.
 */
final class Failure extends Exception {
    private static final long serialVersionUID = 1L;

    private final int status;

    private Failure(int status, String sentence, Throwable cause) {
        super(Printable.of(sentence), cause);
        this.status = status;
    }

    /** Something went wrong while it ran. */
    static Failure of(String sentence, Throwable cause) {
        return new Failure(1, sentence, cause);
    }

    static Failure of(String sentence) {
        return of(sentence, null);
    }

    /** The arguments make no sense. */
    static Failure usage(String sentence) {
        return new Failure(2, sentence, null);
    }

    int status() {
        return status;
    }
}
