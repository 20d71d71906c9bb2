// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/** What one client has out of one heap: its part of the heap's account, whose lock guards it. */
final class Share {
    /** Guarded by the account. */
    final Tally tally = new Tally();

    private final ClientAccount client;
    private final Account account;

    Share(ClientAccount client, Account account) {
        this.client = client;
        this.account = account;
    }

    ClientAccount client() {
        return client;
    }

    Account account() {
        return account;
    }

    /** {@return whether a quota applies to what is charged here} */
    boolean limited() {
        return tally.limited() || account.limited() || client.limited();
    }

    Figures figures() {
        return account.figures(this);
    }
}
