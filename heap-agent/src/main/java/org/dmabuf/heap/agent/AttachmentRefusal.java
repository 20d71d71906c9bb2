// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import org.dmabuf.heap.Errno;

/** Refusal to serve a listener. The message has cause and remedy. */
final class AttachmentRefusal extends Exception {
    private static final long serialVersionUID = 1L;

    private final Errno errno;

    AttachmentRefusal(Errno errno, String sentence) {
        super(sentence, null, false, false); // the agent's own stack explains nothing
        this.errno = errno;
    }

    Errno errno() {
        return errno;
    }
}
