// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

/**
 * Failure that ends the program. Its message is the one {@link Printable} sentence for standard error;
 * {@link #status()} is the exit status.
 *
 * <p>It is checked, so that a method's signature shows whether it can end the program.
 */
final class Failure extends Exception {
    private static final long serialVersionUID = 1L;

    private final int status;

    private Failure(int status, String sentence, Throwable cause) {
        super(Printable.of(sentence), cause);
        this.status = status;
    }

    /** Creates a failure of the program's work. */
    static Failure of(String sentence, Throwable cause) {
        return new Failure(1, sentence, cause);
    }

    static Failure of(String sentence) {
        return of(sentence, null);
    }

    /** Creates a failure for invalid arguments. */
    static Failure usage(String sentence) {
        return new Failure(2, sentence, null);
    }

    int status() {
        return status;
    }
}
