// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.io.IOException;

/** Violation of the control protocol by the other side. The connection cannot be used any more. */
public final class MalformedFrameException extends IOException {
    private static final long serialVersionUID = 1L;

    /** @param sentence description of the violation */
    public MalformedFrameException(String sentence) {
        super(sentence);
    }
}
