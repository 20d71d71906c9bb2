// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.util.Map;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.release.DeferredWork;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * An exported descriptor that its client has not given away. The broker closes it when the client's bundle has stopped.
 */
final class ExportedFd extends OpenResource implements OwnedFd, DeferredWork {
    private final Client client;
    private final Reaper reaper;
    private final Map<String, Object> heapProperties;
    /** The descriptor; null until it is exported. */
    private OwnedFd descriptor;

    /**
     * Creates the resource before the descriptor is exported.
     *
     * @param client the client that exports it
     * @param buffer the buffer that is exported
     */
    ExportedFd(Client client, SharedBuffer buffer) {
        this.client = client;
        reaper = buffer.reaper();
        heapProperties = buffer.heapProperties();
    }

    /** Takes ownership of the descriptor. */
    void own(OwnedFd exported) {
        descriptor = exported;
    }

    @Override
    public int fd() {
        return descriptor.fd();
    }

    @Override
    public int detach() {
        int number = descriptor.detach();
        client.forget(this);
        return number;
    }

    @Override
    public Map<String, Object> heapProperties() {
        return heapProperties;
    }

    @Override
    public void close() {
        descriptor.close();
        client.forget(this);
    }

    @Override
    public void end() {
        if (descriptor != null) {
            close();
        }
    }

    /** Has the reaper close it: the last close of a dma-buf may run its driver's release. */
    @Override
    public Reaper reclaim() {
        Reaper has = handOver(reaper, this);
        client.forget(this);
        return has;
    }

    @Override
    public void perform() {
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
