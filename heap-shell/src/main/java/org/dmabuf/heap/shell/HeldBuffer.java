// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.DmaBuf;

/**
 * Reference to a buffer, with the length of its content.
 *
 * @param buffer reference that is closed with this object
 * @param content length of the content in bytes, at most the buffer's size
 */
record HeldBuffer(DmaBuf buffer, long content) implements AutoCloseable {
    /** {@return another reference to the buffer, which the caller closes} */
    HeldBuffer borrowed() {
        DmaBuf reference = buffer.newReference();
        try {
            return new HeldBuffer(reference, content);
        } catch (OutOfMemoryError e) {
            reference.close();
            throw e;
        }
    }

    /** {@return the description of the buffer under a name} */
    BufferInfo info(String name) {
        return BufferInfo.of(name, buffer, content);
    }

    @Override
    public void close() {
        buffer.close();
    }
}
