// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Registry of the sessions, with a limit of their number. */
final class Sessions {
    static final int MOST = 8;

    /** Creator of a session; it receives the action to call at the session's end. */
    @FunctionalInterface
    interface Maker {
        Session make(Runnable whenEnded) throws Interpreter.AbsentException;
    }

    private final List<Session> sessions = new ArrayList<>();
    private int places = MOST;

    /** {@return the new session; empty if the limit is reached} */
    Optional<Session> open(Maker maker) throws Interpreter.AbsentException {
        synchronized (this) {
            if (places == 0) {
                return Optional.empty();
            }
            places--;
        }
        Session[] made = new Session[1];
        try {
            made[0] = maker.make(() -> close(made[0]));
            synchronized (this) {
                sessions.add(made[0]);
            }
            return Optional.of(made[0]);
        } finally {
            if (made[0] == null) {
                close(null);
            }
        }
    }

    private synchronized void close(Session session) {
        sessions.remove(session);
        places++;
    }

    synchronized List<Session> all() {
        return List.copyOf(sessions);
    }

    List<StatusReport.AttachedSession> report(Instant now) {
        return all().stream()
                .map(session -> new StatusReport.AttachedSession(
                        session.kind().name().toLowerCase(Locale.ROOT),
                        session.user(),
                        Duration.between(session.since(), now)))
                .toList();
    }
}
