// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * The hold of a buffer that a reference stands for, and whether it is ended. The client's list has the claim and the
 * client the reference, so that a reference which cannot be reached any more, and which was not closed, is found.
 */
public final class ReferenceTracker extends OpenResource {
    final Client client;
    public final SharedBuffer buffer;

    /**
     * Takes over one hold of the buffer.
     *
     * @param reference through which it is used
     * @param client who has that
     * @param buffer held once
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

    /** The reference became unreachable. */
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

    /** After the hold is given up: until then the client's stop must find it. */
    private void forget() {
        clear(); // what is closed cannot be lost
        client.forget(this);
    }
}
