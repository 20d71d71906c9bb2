// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.felix.service.command.CommandSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is to be done when a session of Gogo ends: a list of Runnables in a variable of the session. A bundle with
 * commands, heap-shell for one, adds to the list what frees the things that belong to the session.
 */
final class SessionEnd {
    /** The variable. Bundles with commands know it by this name, and share no class with this one. */
    static final String VARIABLE = ".dmaheap.session.end";

    private static final Logger LOG = LoggerFactory.getLogger(SessionEnd.class);

    private final List<Runnable> actions = new CopyOnWriteArrayList<>();

    void putInto(CommandSession session) {
        session.put(VARIABLE, actions);
    }

    void run() {
        for (Runnable action : actions) {
            try {
                action.run();
            } catch (RuntimeException | Error e) {
                LOG.warn(
                        "the end of a session was not told to {}",
                        action.getClass().getName(),
                        e);
            }
        }
    }
}
