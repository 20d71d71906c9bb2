// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.io.IOException;

/** The other side does not speak this protocol. The connection is of no use any more. */
public final class MalformedFrameException extends IOException {
    private static final long serialVersionUID = 1L;

    /** @param sentence what was wrong */
    public MalformedFrameException(String sentence) {
        super(sentence);
    }
}
