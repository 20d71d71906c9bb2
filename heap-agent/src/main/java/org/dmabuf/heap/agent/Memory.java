// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import org.dmabuf.heap.OwnedFd;

/**
 * Buffer that the gateway has made.
 *
 * @param descriptor of the buffer, which the holder of this object closes
 * @param memfd whether it is a memfd; otherwise it is a dma-buf
 */
record Memory(OwnedFd descriptor, boolean memfd) implements AutoCloseable {
    @Override
    public void close() {
        descriptor.close();
    }
}
