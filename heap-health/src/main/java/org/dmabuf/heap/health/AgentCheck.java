// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import java.nio.file.Path;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocketException;

/**
 * Check that the agent has its socket. If the gateway's user may not connect to it, only the existence of the file is
 * known; systemd removes it when the agent ends.
 *
 * @param socket path of the agent's socket
 */
record AgentCheck(Path socket) implements HealthCheck {
    @Override
    public Result execute() {
        try {
            return FdListener.isServed(socket)
                    ? new Result(Result.Status.OK, "the agent has its socket " + socket)
                    : new Result(Result.Status.CRITICAL, "the agent is down: no process has the socket " + socket);
        } catch (FdSocketException e) {
            return e.errno() == Errno.EACCES
                    ? new Result(Result.Status.OK, "the agent's socket " + socket + " exists; its mode forbids more")
                    : new Result(Result.Status.HEALTH_CHECK_ERROR, "checking the agent failed: " + e.getMessage());
        }
    }
}
