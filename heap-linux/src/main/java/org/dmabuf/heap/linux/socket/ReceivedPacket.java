// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.util.Optional;
import org.dmabuf.heap.OwnedFd;

/** Result of the receipt of a packet, whose bytes are in the caller's memory. Any thread may call any method. */
public final class ReceivedPacket implements AutoCloseable {
    private final int size;
    private final boolean cut;
    private final boolean unwantedDescriptors;
    private final Optional<OwnedFd> descriptor;

    ReceivedPacket(int size, boolean cut, boolean unwantedDescriptors, Optional<OwnedFd> descriptor) {
        this.size = size;
        this.cut = cut;
        this.unwantedDescriptors = unwantedDescriptors;
        this.descriptor = descriptor;
    }

    /** {@return number of received bytes; 0 when the peer has disconnected} */
    public int size() {
        return size;
    }

    /** {@return whether the packet was longer than the caller's memory; the rest is lost} */
    public boolean isCut() {
        return cut;
    }

    /** {@return whether the packet came with more descriptors than the caller accepts; all of them are closed} */
    public boolean hadUnwantedDescriptors() {
        return unwantedDescriptors;
    }

    /**
     * {@return the descriptor, which this packet owns until it is detached} It can be of any file, as that of
     * {@link FdMessage#descriptor}.
     */
    public Optional<OwnedFd> descriptor() {
        return descriptor;
    }

    /** Closes the descriptor, unless it was detached. Never blocks in its file system. Closing twice does nothing. */
    @Override
    public void close() {
        descriptor.ifPresent(OwnedFd::close);
    }
}
