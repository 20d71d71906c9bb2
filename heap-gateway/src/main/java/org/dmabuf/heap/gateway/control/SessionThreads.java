// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.function.IntConsumer;

/**
 * Thread group of a session: its own thread, and those that its commands start.
 *
 * <p>The launcher's command {@code exit} does not know sessions. It looks for a thread group that accepts an exit
 * status, and so ends the session that calls it instead of the gateway.
 */
final class SessionThreads extends ThreadGroup implements IntConsumer {
    private final IntConsumer exit;

    /** @param exit receives the exit status that was given to the command {@code exit} */
    SessionThreads(String name, IntConsumer exit) {
        super(name);
        this.exit = exit;
    }

    @Override
    public void accept(int status) {
        exit.accept(status);
    }
}
