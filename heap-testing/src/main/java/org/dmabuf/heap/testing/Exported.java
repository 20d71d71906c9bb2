// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;

/** Exported descriptor. Its number is unknown to the kernel. */
final class Exported extends Use implements OwnedFd.Closer {
    /** Far above real descriptor numbers, and unique among all brokers, so that using a wrong number fails. */
    private static final AtomicInteger NUMBERS = new AtomicInteger(1_000_000);

    private final int number;
    private final OwnedFd owner;
    private volatile boolean detached;

    private Exported(int number, Memory memory, ClientBroker client) {
        super("descriptor " + number, memory, client);
        this.number = number;
        owner = OwnedFd.awaiting(
                this,
                PeerRule.of(memory.heap().name(), memory.heap().properties().get(HeapProperties.PEERS)));
    }

    static Exported of(Memory memory, ClientBroker client) {
        return new Exported(NUMBERS.getAndIncrement(), memory, client);
    }

    int number() {
        return number;
    }

    /** {@return the descriptor, which this call opens} */
    OwnedFd open() {
        owner.own(number);
        return owner;
    }

    @Override
    public void close(int closed) {
        close();
    }

    @Override
    public void detached(int given) {
        detached = true;
    }

    /** A detached descriptor no longer belongs to the client, so it stays open. */
    @Override
    void takeBack() {
        if (!detached) {
            owner.close();
        }
    }

    @Override
    public String toString() {
        return super.toString() + (detached ? ", detached" : "");
    }
}
