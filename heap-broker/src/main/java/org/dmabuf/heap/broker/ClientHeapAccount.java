// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/** What one client has out of one heap: its part of the heap's account, whose lock guards it. */
final class ClientHeapAccount {
    /** Guarded by the account. */
    final UsageCounters counters = new UsageCounters();

    private final ClientAccount client;
    private final HeapAccount account;

    ClientHeapAccount(ClientAccount client, HeapAccount account) {
        this.client = client;
        this.account = account;
    }

    ClientAccount client() {
        return client;
    }

    HeapAccount account() {
        return account;
    }

    /** {@return whether a quota applies to what is charged here} */
    boolean limited() {
        return counters.limited() || account.limited() || client.limited();
    }

    UsageSnapshot figures() {
        return account.figures(this);
    }
}
