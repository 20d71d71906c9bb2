// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import org.dmabuf.heap.gateway.control.wire.Request;

/** What runs in a session. Only its implementations know Gogo, which may be absent. */
interface Interpreter {
    /** The client has no terminal to run commands on, or the shell that runs them is not there. */
    final class AbsentException extends Exception {
        private static final long serialVersionUID = 1L;

        AbsentException(String sentence) {
            super(sentence);
        }
    }

    /** Makes interpreters. */
    @FunctionalInterface
    interface Factory {
        /**
         * Makes one and runs nothing yet.
         *
         * @throws AbsentException when there is no shell in this framework
         */
        Interpreter create(Request request, Inbox in, Outbox outbox) throws AbsentException;
    }

    /**
     * Runs to the end, in a thread of the session.
     *
     * @return the exit status
     */
    int run() throws Exception;

    /** The command {@code exit} was given this status. */
    void exit(int status);

    /** The client's terminal has another size. */
    void resize(int columns, int rows);

    /** The client's terminal sent a signal, by its name without SIG. */
    void signal(String name);

    /** The client is gone: what runs is interrupted, and what reads gets no more. */
    void hangUp();

    /** Frees what the session held. Called once, also while something still runs that ignores an interrupt. */
    void end();
}
