// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import org.dmabuf.heap.Errno;

/** Error of the gateway, or its absence. The message has cause and remedy. */
final class GatewayRefusal extends Exception {
    private static final long serialVersionUID = 1L;

    private final int status;

    /** @param status the negative error number */
    GatewayRefusal(int status, String sentence) {
        super(sentence, null, false, false); // the agent's own stack explains nothing
        this.status = status;
    }

    /** {@return whether the gateway has too many connections at the moment} */
    boolean isBusy() {
        return status == -Errno.EBUSY.number();
    }

    /** {@return the negative error number for the client's call, which is one that the kernel's heaps return} */
    int status() {
        return switch (Errno.of(-status)) {
            case EACCES, EINVAL, ENODEV -> status;
            default -> -Errno.ENOMEM.number();
        };
    }
}
