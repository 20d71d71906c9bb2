// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.QuotaExceeded;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.SharedBuffer;

/**
 * How a client gets a buffer: its memory is charged, and want of memory is not final at once. What the client has
 * closed, and whose mappings have ended, may be on its way back still, and is waited for.
 */
abstract class Acquisition {
    final Client client;
    private final Ledger ledger;
    /** The client's own quota is full: any other memory would be refused to it as well. */
    boolean endsAnywhere;

    Acquisition(Client client, Ledger ledger) {
        this.client = client;
        this.ledger = ledger;
    }

    /**
     * Gets a buffer.
     *
     * @param account of the heap, which is charged
     * @param since a moment before this call, for {@link #hasComeBack}
     * @return a buffer, charged
     */
    final SharedBuffer acquire(HeapAccount account, long since) {
        try {
            return acquireOnce(account);
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM || !hasComeBack(since)) {
                throw e;
            }
            return acquireOnce(account);
        }
    }

    /** When it throws, nothing is held or charged. */
    private SharedBuffer acquireOnce(HeapAccount account) {
        Charge charge = ledger.charge(client.account(), account);
        SharedBuffer buffer = null;
        try {
            buffer = charged(charge);
        } finally {
            if (buffer == null) {
                charge.cancel();
            }
        }
        return buffer;
    }

    /** Throws the refusal of what does not fit a quota. */
    final void require(Optional<QuotaExceeded> over, Charge charge, long size) {
        if (over.isPresent()) {
            endsAnywhere = over.get().everywhere();
            throw over.get().refusal(charge.share(), size);
        }
    }

    /**
     * Waits for what is on its way back.
     *
     * @param since a moment
     * @return whether it is worth while to ask again
     */
    abstract boolean hasComeBack(long since);

    /** {@return a buffer, for which the charge has begun; nothing is held when this throws} */
    abstract SharedBuffer charged(Charge charge);
}
