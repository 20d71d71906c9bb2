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
 * Acquisition of one buffer for a client, with the charge of its memory. On a first shortage it waits and tries
 * once more. The release of memory that the client has closed and unmapped may still be pending.
 */
abstract class Acquisition {
    final Client client;
    private final Ledger ledger;
    /** Whether it waits for pending releases on a shortage. */
    private final boolean patient;
    /** Whether a quota refused the last attempt. */
    boolean overQuota;
    /** Whether the client's quota on all heaps is full, so that every other heap would be refused as well. */
    boolean endsAnywhere;
    /** The time waited so far, in nanoseconds. */
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

    /** Acquires a buffer in one attempt. When it throws, no hold is taken and nothing is charged. */
    private SharedBuffer acquireOnce(HeapAccount account) {
        Charge charge = ledger.charge(client.account(), client.origin(), account);
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

    /** Throws the refusal if a quota would be exceeded. */
    final void require(Optional<QuotaExceeded> exceeded, Charge charge, long size) {
        overQuota = exceeded.isPresent();
        if (overQuota) {
            endsAnywhere = exceeded.get().everywhere();
            throw exceeded.get().refusal(charge.share(), size);
        }
    }

    /**
     * Waits for pending releases.
     *
     * @param since a moment before the attempt
     * @return whether another attempt may succeed
     */
    abstract boolean hasComeBack(long since);

    /** {@return a buffer for which the charge has begun; no hold is taken when this throws} */
    abstract SharedBuffer charged(Charge charge);
}
