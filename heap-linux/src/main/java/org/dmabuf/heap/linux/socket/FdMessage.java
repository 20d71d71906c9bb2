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
     * {@return the sender's text, at most {@value FdSocket#TEXT_BYTES} bytes of UTF-8. It is untrusted: use
     * {@link Printable} before logging it}
     */
    public String text() {
        return text;
    }

    /**
     * {@return the descriptor, which this message owns until it is detached} It can be of any file. Most calls reach
     * the file system of the file, which can be a program of the sender that never answers.
     * {@link org.dmabuf.heap.HeapBroker#adopt} makes no such call before it has checked the kind of the file.
     */
    public OwnedFd descriptor() {
        return descriptor;
    }

    /** Closes the descriptor, unless it was detached. Never blocks in its file system. Closing twice does nothing. */
    @Override
    public void close() {
        descriptor.close();
    }
}
