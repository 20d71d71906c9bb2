// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/**
 * What one buffer is charged: from when it is made until nobody uses its memory. It is live first, may linger then, and
 * ends once. Whoever has the charge calls its methods one after the other.
 */
final class Charge {
    private final Account account;
    private final long size;
    private boolean lingering;

    /**
     * Charges.
     *
     * @param account of the heap
     * @param size bytes of the buffer
     */
    Charge(Account account, long size) {
        this.account = account;
        this.size = size;
        account.charge(size);
    }

    /** Nothing here uses the memory any more, and peers may. */
    void linger() {
        lingering = true;
        account.linger(size);
    }

    /** Nobody uses the memory any more. */
    void end() {
        if (lingering) {
            account.unchargeLingering(size);
        } else {
            account.uncharge(size);
        }
    }
}
