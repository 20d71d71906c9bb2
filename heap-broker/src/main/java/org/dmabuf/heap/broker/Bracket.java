// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.concurrent.atomic.AtomicBoolean;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;

/**
 * An open bracket. As a token with a hold of its own it cannot be ended twice, nor after the memory is gone, so begin
 * and end always pair.
 */
final class Bracket extends Holding implements CpuAccess {
    private final Client client;
    private final Buffer buffer;
    private final Access access;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * Takes over one hold of the buffer, once its bracket is begun.
     *
     * @param client who opens it
     * @param buffer held once for this bracket by then
     * @param access direction in which it was begun
     */
    Bracket(Client client, Buffer buffer, Access access) {
        this.client = client;
        this.buffer = buffer;
        this.access = access;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            client.forget(this);
            try {
                buffer.endCpuAccess(access);
            } finally {
                buffer.drop();
            }
        }
    }

    @Override
    void reclaim() {
        if (closed.compareAndSet(false, true)) {
            client.forget(this);
            buffer.endTakenBack(access);
        }
    }

    @Override
    public String toString() {
        return "CPU access for " + access + " to a " + buffer;
    }
}
