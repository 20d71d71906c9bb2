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

    /**
     * {@return whether the next allocation belongs to the sample that is timed}
     *
     * <p>It reads the counter without the lock: a stale value times another allocation than the 64th.
     */
    boolean isSampled() {
        return counters.isSampled();
    }

    /** Counts the time of an allocation. */
    public void timed(long nanos) {
        account.allocationTimes().add(nanos);
        client.allocationTimes().add(nanos);
    }

    public UsageSnapshot snapshot() {
        return account.snapshot(this);
    }

    long restartPeak() {
        return account.restartPeak(this);
    }
}
