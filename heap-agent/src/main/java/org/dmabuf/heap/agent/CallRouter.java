// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.Optional;
import org.dmabuf.heap.linux.seccomp.SeccompListener;

/**
 * First look at a call. It recognizes the file by its path and status, answers calls on buffers, and lets the kernel
 * execute every call that is not on a node. It never waits, neither for the gateway nor for a file system.
 */
final class CallRouter {
    private final SeccompListener listener;
    private final Client client;
    private final BufferCalls buffers;

    CallRouter(SeccompListener listener, Client client, BufferCalls buffers) {
        this.listener = listener;
        this.client = client;
        this.buffers = buffers;
    }

    /** {@return the node of a call that is still to be answered; empty after the answer} */
    Optional<Node> route(CallSpace space) {
        Optional<Node> node = Optional.empty();
        if (Architecture.isIoctl(space.call)) {
            if (BufferCalls.isNumber(space.command())) {
                if (buffers.answer(space)) {
                    return Optional.empty();
                }
            } else {
                node = nodeOf(space);
            }
        }
        if (node.isEmpty()) {
            listener.proceed(space.call);
        }
        return node;
    }

    private Optional<Node> nodeOf(CallSpace space) {
        Node node = client.nodes().get(space.call.pathOf(space.descriptor()));
        boolean serves = node != null
                && NodeCalls.isNumber(node.abi(), space.command())
                && space.call.readStatus(space.descriptor())
                && client.files().get(node.path()).isOfCall(space.call);
        return serves ? Optional.of(node) : Optional.empty();
    }
}
