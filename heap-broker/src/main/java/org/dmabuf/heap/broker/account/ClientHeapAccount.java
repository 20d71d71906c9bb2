// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

/**
 * Account of one client on one heap: the client's share of the heap's account. The lock of that account guards it.
 */
public final class ClientHeapAccount {
    /** Guarded by the account. */
    final UsageCounters counters = new UsageCounters();

    private final ClientAccount client;
    private final HeapAccount account;

    ClientHeapAccount(ClientAccount client, HeapAccount account) {
        this.client = client;
        this.account = account;
    }

    public ClientAccount client() {
        return client;
    }

    public HeapAccount account() {
        return account;
    }

    /** {@return whether any quota applies to these charges} */
    boolean limited() {
        return counters.limited() || account.limited() || client.limited();
    }

    public UsageSnapshot snapshot() {
        return account.snapshot(this);
    }

    long restartPeak() {
        return account.restartPeak(this);
    }
}
