// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.HashSet;
import java.util.Set;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.text.Printable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Log of refusals, each sentence once, so that a client that repeats a request cannot fill the log. */
final class RefusalLog {
    private static final Logger LOG = LoggerFactory.getLogger(RefusalLog.class);
    private static final int MOST = 1000;

    private final Set<String> logged = new HashSet<>();

    /** Logs a refusal. After {@value #MOST} different ones, further ones are not logged. */
    void add(PeerCredentials peer, String sentence) {
        if (isNew(sentence)) {
            LOG.warn("refused a request of {}: {}", peer, Printable.of(sentence));
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
