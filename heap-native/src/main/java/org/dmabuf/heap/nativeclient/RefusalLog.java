// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.text.Printable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Log of refusals, each sentence once for a client, so that a client that repeats a request cannot fill the log. The
 * number of sentences is limited for each client, so that no client can use up the log of others.
 */
final class RefusalLog {
    /** Most sentences of one client. */
    static final int MOST = 20;

    private static final Logger LOG = LoggerFactory.getLogger(RefusalLog.class);
    private static final int MOST_CLIENTS = 1000;

    private final Map<ClientId, Set<String>> logged = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<ClientId, Set<String>> eldest) {
            return size() > MOST_CLIENTS;
        }
    };

    /** Logs a refusal of a client, unless it was logged, or {@value #MOST} others of this client were. */
    void add(ClientId client, PeerCredentials peer, String sentence) {
        if (isNew(client, sentence)) {
            LOG.warn("refused a request of {}: {}", peer, Printable.of(sentence));
        }
    }

    /** {@return whether the refusal must be logged; it counts as logged from now on} */
    synchronized boolean isNew(ClientId client, String sentence) {
        Set<String> sentences = logged.computeIfAbsent(client, _ -> new HashSet<>());
        return sentences.size() < MOST && sentences.add(sentence);
    }

    /** Logs the refusals of other rules again. */
    synchronized void restart() {
        logged.clear();
    }
}
