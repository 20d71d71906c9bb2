// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import org.dmabuf.heap.gateway.control.wire.Request;

/** Executor of a session's commands. Only its implementations use Gogo, which may be absent. */
interface Interpreter {
    /** Failure because the gateway has no shell to run the client's request. */
    final class AbsentException extends Exception {
        private static final long serialVersionUID = 1L;

        AbsentException(String sentence) {
            super(sentence);
        }
    }

    /** Factory of interpreters. */
    @FunctionalInterface
    interface Factory {
        /**
         * Creates an interpreter, which runs nothing yet.
         *
         * @throws AbsentException if the framework has no shell
         */
        Interpreter create(Request request, Inbox in, Outbox outbox) throws AbsentException;
    }

    /**
     * Runs the request to its end, in a thread of the session.
     *
     * @return the exit status
     */
    int run() throws Exception;

    /** Sets the exit status that was given to the command {@code exit}. */
    void exit(int status);

    /** Sets the size of the client's terminal. */
    void resize(int columns, int rows);

    /** Handles a signal of the client's terminal, by its name without SIG. */
    void signal(String name);

    /** Ends the work for a client that is gone: interrupts commands and ends the input. */
    void hangUp();

    /**
     * Frees the resources that the session holds. Called once, even if a command ignores the interrupt and still runs.
     */
    void end();
}
