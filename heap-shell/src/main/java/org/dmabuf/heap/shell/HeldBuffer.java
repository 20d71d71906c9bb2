// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.DmaBuf;

/**
 * A reference to a buffer, and how much of it means something.
 *
 * @param buffer closed with this
 * @param content bytes, at most the buffer's size
 */
record HeldBuffer(DmaBuf buffer, long content) implements AutoCloseable {
    /** {@return another reference to the buffer, which its caller closes} */
    HeldBuffer borrowed() {
        DmaBuf reference = buffer.newReference();
        try {
            return new HeldBuffer(reference, content);
        } catch (OutOfMemoryError e) {
            reference.close();
            throw e;
        }
    }

    /** {@return the facts about it under a name} */
    BufferInfo info(String name) {
        return BufferInfo.of(name, buffer, content);
    }

    @Override
    public void close() {
        buffer.close();
    }
}
