// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.ClientId;

/**
 * Listener for the ioctls of a container, with the nodes that the container sees.
 *
 * @param socket absolute path of the socket to which the container runtime sends the listener's descriptor
 * @param metadata name of the container as a client; without it, the container's id names the client
 * @param nodes absolute paths of the heaps' nodes within the container
 */
public record Listener(String socket, Optional<String> metadata, List<String> nodes) {
    /** sizeof(sun_path) of unix(7), less the NUL. */
    private static final int LONGEST_SOCKET = 107;

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException for a path that is not absolute, or for a name that no client can have
     */
    public Listener {
        requireAbsolute("socket", socket);
        if (socket.getBytes(StandardCharsets.UTF_8).length > LONGEST_SOCKET) {
            throw new IllegalArgumentException(
                    "invalid socket = " + socket + ": expected at most " + LONGEST_SOCKET + " bytes");
        }
        metadata.ifPresent(name -> ClientId.of("container", name));
        nodes = List.copyOf(nodes);
        nodes.forEach(node -> requireAbsolute("nodes", node));
    }

    private static void requireAbsolute(String name, String path) {
        if (!path.matches("(/(?!\\.\\.?(/|$))[^/]+)+")) {
            throw new IllegalArgumentException(
                    "invalid " + name + " = '" + path + "': expected an absolute path without //, . and ..");
        }
    }
}
