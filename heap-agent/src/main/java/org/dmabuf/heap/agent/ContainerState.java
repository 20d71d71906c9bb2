// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.List;
import java.util.Map;

/**
 * Container process state of the OCI runtime specification: what a runtime sends with a listener.
 *
 * @param id id of the container
 * @param pid the process, in the runtime's PID namespace
 * @param metadata {@code listenerMetadata} of the container's configuration, empty without one
 */
record ContainerState(String id, int pid, String metadata) {
    private static final String LISTENER = "seccompFd";

    /**
     * Parses the state.
     *
     * @throws IllegalArgumentException for a text that is not a state with exactly one descriptor, the listener
     */
    static ContainerState of(String json) {
        if (!(JsonReader.read(json) instanceof Map<?, ?> process)) {
            throw new IllegalArgumentException("invalid state: expected an object");
        }
        if (!List.of(LISTENER).equals(process.get("fds"))) {
            throw new IllegalArgumentException("invalid fds = " + process.get("fds") + ": expected [" + LISTENER + "]");
        }
        if (!(process.get("state") instanceof Map<?, ?> container)) {
            throw new IllegalArgumentException("invalid state: expected a container's state in it");
        }
        Object metadata = process.get("metadata") == null ? "" : process.get("metadata");
        return new ContainerState(text("id", container.get("id")), pid(process.get("pid")), text("metadata", metadata));
    }

    private static String text(String name, Object value) {
        if (value instanceof String text) {
            return text;
        }
        throw new IllegalArgumentException("invalid " + name + " = " + value + ": expected a text");
    }

    private static int pid(Object value) {
        if (value instanceof Double number && number >= 1 && number <= Integer.MAX_VALUE && number % 1 == 0) {
            return number.intValue();
        }
        throw new IllegalArgumentException("invalid pid = " + value + ": expected the number of a process");
    }

    /** {@return the name of the client: the metadata, otherwise the container's id} */
    String client() {
        return metadata.isEmpty() ? id : metadata;
    }
}
