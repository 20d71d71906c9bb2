// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Registry of the attached sessions, with a limit of their number. */
final class Sessions {
    static final int MOST = 8;

    private final List<Session> sessions = new ArrayList<>();

    /** {@return false if the limit is reached} The caller removes the session at its end. */
    synchronized boolean add(Session session) {
        return sessions.size() < MOST && sessions.add(session);
    }

    synchronized void remove(Session session) {
        sessions.remove(session);
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
