// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.Optional;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.nativeclient.protocol.Reply;

/**
 * Reply with the descriptor that it carries, if any. After the packet was sent the descriptor and the gateway's
 * reference are closed. From then on the client is the memory's only holder, and the charge ends with it.
 */
final class Answer implements AutoCloseable {
    private final Reply reply;
    private final DmaBuf buffer;
    private final OwnedFd descriptor;

    private Answer(Reply reply, DmaBuf buffer, OwnedFd descriptor) {
        this.reply = reply;
        this.buffer = buffer;
        this.descriptor = descriptor;
    }

    static Answer none(Reply reply) {
        return new Answer(reply, null, null);
    }

    /** Exports a buffer, which the result owns; closes it if that fails. */
    static Answer of(DmaBuf buffer) {
        Answer made = null;
        try {
            boolean memfd = !Boolean.TRUE.equals(buffer.heapProperties().get(HeapProperties.DMABUF));
            Reply reply = new Reply.Buffer(buffer.size(), memfd, buffer.heapName());
            made = new Answer(reply, buffer, buffer.exportFd());
            return made;
        } finally {
            if (made == null) {
                buffer.close();
            }
        }
    }

    Reply reply() {
        return reply;
    }

    Optional<OwnedFd> descriptor() {
        return Optional.ofNullable(descriptor);
    }

    @Override
    public void close() {
        if (buffer != null) {
            try {
                descriptor.close();
            } finally {
                buffer.close();
            }
        }
    }
}
