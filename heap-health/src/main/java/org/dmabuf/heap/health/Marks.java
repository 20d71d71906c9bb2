// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.component.Settings;

/**
 * Checked configuration. Immutable.
 *
 * @param usedPercent share of a heap's memory or quota above which the check warns
 * @param lingering lingering bytes of a heap above which the check warns
 * @param agent the agent's socket, empty without an agent
 */
record Marks(int usedPercent, long lingering, Optional<Path> agent) {
    /**
     * Checks a configuration.
     *
     * @throws HeapException for an invalid value
     */
    static Marks of(HealthChecks.Config config, Map<String, ?> properties) {
        Settings settings = Settings.of(HealthChecks.PID, properties);
        String socket = config.agent_socket().strip();
        if ((!socket.isEmpty() && !socket.startsWith("/")) || socket.indexOf('\0') >= 0) {
            throw settings.wrong("agent.socket", socket, "the absolute path of a socket, or nothing");
        }
        return new Marks(
                settings.number("used.percent", config::used_percent, 1, 100),
                settings.bytes("lingering", config.lingering()),
                Optional.of(socket).filter(path -> !path.isEmpty()).map(Path::of));
    }
}
