// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.broker.release.RepeatableWork;

/**
 * An exported descriptor that its client has not given away. The broker closes it when the client has stopped.
 */
final class ExportedFd extends OpenResource implements OwnedFd.Closer, RepeatableWork {
    private final Client client;
    private final SharedBuffer buffer;
    private final OwnedFd descriptor;

    /**
     * Creates the resource before the descriptor is exported.
     *
     * @param client the client that exports it
     * @param buffer the buffer that is exported
     */
    ExportedFd(Client client, SharedBuffer buffer) {
        this.client = client;
        this.buffer = buffer;
        descriptor = OwnedFd.awaiting(this, buffer.peers());
    }

    /** {@return the owner of the descriptor, which owns none before it is exported} */
    OwnedFd descriptor() {
        return descriptor;
    }

    @Override
    public void close(int number) {
        buffer.services().descriptors().close(number);
        try {
            client.forget(this);
        } catch (StackOverflowError | OutOfMemoryError e) {
            // What throws would be closed again. The client's stop finds nothing left to close.
        }
    }

    @Override
    public void detached(int number) {
        client.forget(this);
    }

    @Override
    public void end() {
        descriptor.close();
    }

    /** Has the reaper close it: the last close of a dma-buf may run its driver's release. */
    @Override
    public Reaper reclaim() {
        Reaper has = handOver(buffer.reaper(), this);
        client.forget(this);
        return has;
    }

    @Override
    public void attempt() {
        descriptor.close();
    }

    @Override
    public String what() {
        return "the close of an " + this;
    }

    @Override
    public long bytes() {
        return 0;
    }

    @Override
    public String toString() {
        return "exported " + descriptor;
    }
}
