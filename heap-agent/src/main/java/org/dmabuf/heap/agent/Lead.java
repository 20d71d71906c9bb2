// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import org.dmabuf.heap.linux.socket.PacketSocket;

/**
 * The lead over a listener, which the thread that serves a call still has at first. No other thread receives the
 * listener's calls meanwhile. Only this thread calls the methods.
 */
interface Lead {
    /** Passes the lead to another thread, before a wait of unknown length. Does nothing without the lead. */
    void pass();

    /**
     * Waits until a connection has a packet. Passes the lead, and returns early, if the listener gets another call
     * first, or if the wait becomes long. Does nothing without the lead.
     */
    void awaitReply(PacketSocket connection);
}
