// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/** Sums without buffers, for tests of those who read them. */
final class Tallies {
    private Tallies() {}

    /** A client whose bundle has this symbolic name. */
    static Client client(String bundle) {
        return new Client(new ClientAccount(bundle), "test:" + bundle, new Leaks());
    }

    /** A share of a client that has no other. */
    static Share share(Account account) {
        return new ClientAccount("org.example.camera").in(account);
    }

    static void charge(Account account, long size) {
        account.charge(new Charge(share(account)), size, 0);
    }

    /** Ends one that was charged so. */
    static void uncharge(Account account, long size) {
        account.uncharge(account.charges().getFirst(), size, false);
    }
}
