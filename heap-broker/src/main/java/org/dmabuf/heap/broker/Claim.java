// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * What stands behind a lease: its hold of the buffer, and whether it is ended. The client's list has the claim and the
 * client the lease, so that a lease which nobody can reach any more, and which was not closed, is found.
 */
final class Claim extends Holding {
    private static final VarHandle ENDED;

    static {
        try {
            ENDED = MethodHandles.lookup().findVarHandle(Claim.class, "ended", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final Client client;
    final Buffer buffer;
    private volatile boolean ended;

    /**
     * Takes over one hold of the buffer.
     *
     * @param lease through which it is used
     * @param client who has that
     * @param buffer held once
     */
    Claim(Lease lease, Client client, Buffer buffer) {
        super(lease, client.leaks().lost());
        this.client = client;
        this.buffer = buffer;
    }

    boolean ended() {
        return ended;
    }

    /** Closed by whoever has the lease. */
    void close() {
        if (end()) {
            buffer.drop();
        }
    }

    @Override
    void reclaim() {
        if (end()) {
            buffer.dropTakenBack();
        }
    }

    /** Nobody has the lease any more. */
    void lost() {
        if (end()) {
            try {
                buffer.reportLeak(client.bundle());
            } finally {
                buffer.dropLater();
            }
        }
    }

    private boolean end() {
        boolean first = !(boolean) ENDED.getAndSet(this, true);
        if (first) {
            clear(); // what is closed cannot be lost
            client.forget(this);
        }
        return first;
    }
}
