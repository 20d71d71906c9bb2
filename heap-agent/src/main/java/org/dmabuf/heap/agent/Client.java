// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.Map;
import org.dmabuf.heap.ClientId;

/**
 * Process tree with a listener.
 *
 * @param id identity for policy and quota
 * @param pid the process that attached
 * @param origin id of the container, or control group of the process; shown to operators
 * @param nodes the nodes, fixed at the time of the attachment
 * @param files the kind of file that the client has at a path
 */
record Client(ClientId id, int pid, String origin, Map<String, Node> nodes, Map<String, NodeFile> files) {
    Client {
        nodes = Map.copyOf(nodes);
        files = Map.copyOf(files);
    }

    @Override
    public String toString() {
        return id + " (process " + pid + (origin.isEmpty() ? "" : ", " + origin) + ")";
    }
}
