// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Map;
import org.dmabuf.heap.OwnedFd;

/** A descriptor that a client exported and has not given away: closed for it when its bundle has stopped. */
final class ExportedFd extends Holding implements OwnedFd {
    private final Client client;
    private final OwnedFd descriptor;
    private final Map<String, Object> heapProperties;

    ExportedFd(Client client, OwnedFd descriptor, Map<String, Object> heapProperties) {
        this.client = client;
        this.descriptor = descriptor;
        this.heapProperties = heapProperties;
    }

    @Override
    public int fd() {
        return descriptor.fd();
    }

    @Override
    public int detach() {
        client.forget(this);
        return descriptor.detach();
    }

    @Override
    public Map<String, Object> heapProperties() {
        return heapProperties;
    }

    @Override
    public void close() {
        client.forget(this);
        descriptor.close();
    }

    @Override
    void reclaim() {
        close();
    }

    @Override
    public String toString() {
        return "exported " + descriptor;
    }
}
