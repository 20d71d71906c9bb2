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
 * The acquisition of a buffer for a client: its memory is charged, and want of memory is not final at once. Memory that
 * the client has closed and unmapped may still be on its way back, and is waited for.
 */
abstract class Acquisition {
    final Client client;
    private final Ledger ledger;
    /** Whether it waits for memory of its client that is on its way back. */
    private final boolean patient;
    /** Whether a quota refused it last. */
    boolean overQuota;
    /** Whether the client's own quota is full, which would refuse any other memory as well. */
    boolean endsAnywhere;
    /** Nanoseconds that it has waited. */
    long waited;

    Acquisition(Client client, Ledger ledger, boolean patient) {
        this.client = client;
        this.ledger = ledger;
        this.patient = patient;
    }

    /**
     * Gets a buffer.
     *
     * @param account the account of the heap, which is charged
     * @param since a moment before this call, for {@link #hasComeBack}
     * @return a buffer, charged
     */
    final SharedBuffer acquire(HeapAccount account, long since) {
        try {
            return acquireOnce(account);
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM || !patient || !awaited(since)) {
                throw e;
            }
            return acquireOnce(account);
        }
    }

    private boolean awaited(long since) {
        long began = System.nanoTime();
        boolean again = hasComeBack(since);
        waited += System.nanoTime() - began;
        Interruption.check();
        return again;
    }

    /** Acquires a buffer without a second try. When it throws, no hold is taken and nothing is charged. */
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

    /** Throws the refusal of a size that does not fit a quota. */
    final void require(Optional<QuotaExceeded> exceeded, Charge charge, long size) {
        overQuota = exceeded.isPresent();
        if (overQuota) {
            endsAnywhere = exceeded.get().everywhere();
            throw exceeded.get().refusal(charge.share(), size);
        }
    }

    /**
     * Waits for memory that is on its way back.
     *
     * @param since a moment
     * @return whether it is worth while to ask again
     */
    abstract boolean hasComeBack(long since);

    /** {@return a buffer for which the charge has begun; no hold is taken when this throws} */
    abstract SharedBuffer charged(Charge charge);
}
