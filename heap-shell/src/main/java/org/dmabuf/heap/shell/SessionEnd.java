// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import org.apache.felix.service.command.CommandSession;

/**
 * What is done when a session ends. Gogo tells no listener of that. A server that runs sessions for others, as the
 * gateway's control socket does, puts a list into the session under {@link #VARIABLE}, and runs what is in it at the
 * end. A session without such a list ends with the shell.
 */
final class SessionEnd {
    /**
     * A {@code List<Runnable>} that any thread may add to. Gogo hands a variable on to a shell within a shell where its
     * name begins with a capital.
     */
    static final String VARIABLE = ".DMAHEAP_SESSION_END";

    private SessionEnd() {}

    /** Has the server of a session run something at its end; without a server it is not run. */
    @SuppressWarnings("unchecked") // the name is ours
    static void then(CommandSession session, Runnable last) {
        if (session.get(VARIABLE) instanceof List<?> list) {
            ((List<Runnable>) list).add(last);
        }
    }
}
