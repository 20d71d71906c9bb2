// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import org.dmabuf.heap.OwnedFd;

/** One message that came over an {@link FdSocket}: a line of text, and a descriptor that the receiver owns. */
public final class FdMessage implements AutoCloseable {
    private final String text;
    private final OwnedFd descriptor;

    FdMessage(String text, OwnedFd descriptor) {
        this.text = text;
        this.descriptor = descriptor;
    }

    /**
     * {@return what the sender wrote, at most {@value FdSocket#TEXT_BYTES} bytes of UTF-8; as trustworthy as the
     * sender}
     */
    public String text() {
        return text;
    }

    /** {@return the descriptor, which this message owns until it is detached} */
    public OwnedFd descriptor() {
        return descriptor;
    }

    /** Closes the descriptor. */
    @Override
    public void close() {
        descriptor.close();
    }
}
