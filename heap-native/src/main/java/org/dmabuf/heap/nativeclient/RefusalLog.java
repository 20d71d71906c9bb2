// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.HashSet;
import java.util.Set;
import org.dmabuf.heap.linux.daemon.QuietLog;

/** Log of refusals, each sentence once, so that a client that repeats a request cannot fill the log. */
final class RefusalLog {
    private static final QuietLog LOG = new QuietLog(RefusalLog.class);
    private static final int MOST = 1000;

    private final Set<String> logged = new HashSet<>();

    /** Logs a refusal. After {@value #MOST} different ones, further ones are not logged. */
    void add(String peer, String sentence) {
        if (isNew(sentence)) {
            LOG.warn("refused a request of {}: {}", peer, sentence);
        }
    }

    private synchronized boolean isNew(String sentence) {
        return logged.size() < MOST && logged.add(sentence);
    }

    /** Logs the refusals of other rules again. */
    synchronized void restart() {
        logged.clear();
    }
}
