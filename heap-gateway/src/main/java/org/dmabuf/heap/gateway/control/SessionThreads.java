// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.function.IntConsumer;

/**
 * The threads of a session: its own, and those that its commands start, which inherit the group.
 *
 * <p>By it the command {@code exit}, which is the launcher's and knows no session, ends the session that calls it
 * instead of the gateway: it looks for a group that takes an exit status.
 */
final class SessionThreads extends ThreadGroup implements IntConsumer {
    private final IntConsumer exit;

    /** @param exit gets the status that the command {@code exit} was given */
    SessionThreads(String name, IntConsumer exit) {
        super(name);
        this.exit = exit;
    }

    @Override
    public void accept(int status) {
        exit.accept(status);
    }
}
