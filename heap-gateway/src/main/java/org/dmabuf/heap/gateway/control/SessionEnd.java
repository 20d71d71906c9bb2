// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import org.apache.felix.service.command.CommandSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is to be done when a session of Gogo ends: a list of Runnables in a variable of the session. A bundle with
 * commands, heap-shell for one, adds to the list what frees the things that belong to the session.
 *
 * <p>A command that ignores the interrupt of a hang-up may add to the list when the session has ended. That is done at
 * once.
 */
final class SessionEnd extends AbstractList<Runnable> {
    /**
     * The variable. Bundles with commands know it by this name, and share no class with this one. Gogo hands it on to a
     * shell within this one, since its name begins with a capital.
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

    /** Does what is to be done, all of it, and closes the session, which is null where none was made. */
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
                failure = e; // the others are done first, and then the log has one of them
            }
        }
        try {
            if (session != null) {
                session.close();
            }
        } finally {
            if (failure != null) {
                LOG.warn("what a session held was not all freed at its end", failure);
            }
        }
    }
}
