// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * Tracker of one reference: its hold on the buffer, and whether the reference has ended. The broker keeps the
 * tracker, and the client keeps the reference. So the broker detects a reference that becomes unreachable without a
 * close.
 */
public final class ReferenceTracker extends OpenResource {
    final Client client;
    public final SharedBuffer buffer;

    /**
     * Takes over one hold on the buffer.
     *
     * @param reference the reference that the client uses
     * @param client the client that has the reference
     * @param buffer the buffer, with one hold for the reference
     */
    ReferenceTracker(DmaBuf reference, Client client, SharedBuffer buffer) {
        super(reference, client.leaks().lost());
        this.client = client;
        this.buffer = buffer;
    }

    @Override
    public void end() {
        if (beginEnd()) {
            boolean dropped = false;
            try {
                buffer.drop();
                dropped = true;
            } finally {
                if (!dropped) {
                    ended = false;
                }
            }
        }
        forget();
    }

    @Override
    public Reaper reclaim() {
        Reaper has = null;
        if (beginEnd()) {
            boolean dropped = false;
            try {
                has = buffer.dropLater();
                dropped = true;
            } finally {
                if (!dropped) {
                    ended = false;
                }
            }
        }
        forget();
        return has;
    }

    /** Reports and ends a reference that became unreachable. */
    @Override
    public void lost() {
        if (!ended) {
            try {
                client.leaks().report(client.account(), buffer);
            } finally {
                reclaim();
            }
        }
    }

    /** Removes the tracker after the hold is dropped. Before that, the client's stop must find it. */
    private void forget() {
        clear(); // a closed reference cannot be lost
        client.forget(this);
    }
}
