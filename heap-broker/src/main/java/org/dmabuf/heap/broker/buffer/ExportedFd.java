// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.broker.release.RepeatableWork;

/** Exported descriptor that its client still owns. The broker closes it when the client has stopped. */
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

    /** {@return the owner of the descriptor; it is empty until the export} */
    OwnedFd descriptor() {
        return descriptor;
    }

    @Override
    public void close(int number) {
        buffer.services().descriptors().close(number);
        try {
            client.forget(this);
        } catch (StackOverflowError | OutOfMemoryError e) {
            // An exception would cause a second close. The client's stop finds the descriptor already closed.
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

    /** Submits the close to the reaper, because the last close of a dma-buf may run the release code of its driver. */
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
