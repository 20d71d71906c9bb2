// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import org.apache.felix.service.command.CommandSession;

/**
 * Actions at the end of a session. Gogo notifies no listener of that. A server of sessions, such as the gateway's
 * control socket, puts a list into the session under {@link #VARIABLE} and runs its entries at the end. A session
 * without such a list ends with the shell.
 */
final class SessionEnd {
    /**
     * A {@code List<Runnable>} to which any thread may add. Gogo passes a variable to a nested shell if its name begins
     * with a capital.
     */
    static final String VARIABLE = ".DMAHEAP_SESSION_END";

    private SessionEnd() {}

    /** Registers an action for the session's end. Without a list in the session it never runs. */
    @SuppressWarnings("unchecked") // the variable's name is reserved for this type
    static void then(CommandSession session, Runnable last) {
        if (session.get(VARIABLE) instanceof List<?> list) {
            ((List<Runnable>) list).add(last);
        }
    }
}
