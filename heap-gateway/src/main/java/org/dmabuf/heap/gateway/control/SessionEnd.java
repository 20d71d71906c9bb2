// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import org.apache.felix.service.command.CommandSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * List of the actions at the end of a Gogo session, which is kept in a variable of the session. A bundle with commands,
 * such as heap-shell, adds actions that free the session's resources.
 *
 * <p>A command that ignores the interrupt of a hang-up may add an action after the session has ended. Such an action
 * runs at once.
 */
final class SessionEnd extends AbstractList<Runnable> {
    /**
     * Name of the variable. It is the only thing that bundles with commands share with this class. Gogo passes the
     * variable to a nested shell, since its name begins with a capital.
     */
    static final String VARIABLE = ".DMAHEAP_SESSION_END";

    private static final Logger LOG = LoggerFactory.getLogger(SessionEnd.class);

    private final List<Runnable> actions = new ArrayList<>();
    private boolean ended;

    void putInto(CommandSession session) {
        session.put(VARIABLE, this);
    }

    @Override
    public void add(int index, Runnable action) {
        boolean late;
        synchronized (this) {
            late = ended;
            if (!late) {
                actions.add(index, action);
            }
        }
        if (late) {
            action.run();
        }
    }

    @Override
    public synchronized Runnable remove(int index) {
        return actions.remove(index);
    }

    @Override
    public synchronized Runnable get(int index) {
        return actions.get(index);
    }

    @Override
    public synchronized int size() {
        return actions.size();
    }

    /** Runs all actions, and then closes the session, unless it is null. */
    void run(CommandSession session) {
        List<Runnable> last;
        synchronized (this) {
            ended = true;
            last = List.copyOf(actions);
            actions.clear();
        }
        Throwable failure = null;
        for (Runnable action : last) {
            try {
                action.run();
            } catch (RuntimeException | Error e) {
                failure = e; // logged after the other actions; only the last failure is kept
            }
        }
        try {
            if (session != null) {
                session.close();
            }
        } finally {
            if (failure != null) {
                LOG.warn("an action at the end of a session failed", failure);
            }
        }
    }
}
