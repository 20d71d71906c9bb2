// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Message that came over an {@link FdSocket}: a line of text, and a descriptor that the receiver owns. Any thread may
 * call any method.
 */
public final class FdMessage implements AutoCloseable {
    private final String text;
    private final OwnedFd descriptor;

    FdMessage(String text, OwnedFd descriptor) {
        this.text = text;
        this.descriptor = descriptor;
    }

    /**
     * {@return what the sender wrote, at most {@value FdSocket#TEXT_BYTES} bytes of UTF-8; as trustworthy as the
     * sender, so {@link Printable} before it is logged}
     */
    public String text() {
        return text;
    }

    /**
     * {@return the descriptor, which this message owns until it is detached} It can be of any file. Most calls on a
     * file ask its file system, which can be the sender's own program and may never answer:
     * {@link org.dmabuf.heap.HeapBroker#adopt} makes no such call before it knows what the file is.
     */
    public OwnedFd descriptor() {
        return descriptor;
    }

    /** Closes the descriptor, unless it was detached. Never waits for its file system. Closing twice does nothing. */
    @Override
    public void close() {
        descriptor.close();
    }
}
