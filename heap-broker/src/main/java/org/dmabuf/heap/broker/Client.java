// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/** One using bundle: what it has open, until it stops. */
final class Client {
    private final ClientAccount account;
    private final String location;
    private final Leaks leaks;
    private final Holdings holdings = new Holdings();
    /** Why, once it has; null until then. */
    private volatile String stopped;

    /**
     * A client that holds nothing.
     *
     * @param account of all bundles of its symbolic name
     * @param location where it was installed from
     * @param leaks finds what it loses
     */
    Client(ClientAccount account, String location, Leaks leaks) {
        this.account = account;
        this.location = location;
        this.leaks = leaks;
    }

    /** {@return symbolic name} */
    String bundle() {
        return account.bundle();
    }

    String location() {
        return location;
    }

    ClientAccount account() {
        return account;
    }

    Leaks leaks() {
        return leaks;
    }

    /** Throws {@link IllegalStateException} when the bundle, or the broker, has stopped. */
    void requireActive() {
        if (stopped != null) {
            throw over();
        }
    }

    /**
     * Registers something that the client opened. When the bundle stops meanwhile it is ended at once.
     *
     * @return the holding
     * @throws IllegalStateException when the bundle has stopped
     */
    <H extends Holding> H keep(H holding) {
        if (stopped == null) {
            holdings.add(holding);
            if (stopped == null) {
                return holding;
            }
        }
        holding.reclaim();
        throw over();
    }

    /** As {@link #keep(Holding)}, for a reference. */
    <L extends Lease> L keep(L lease) {
        keep(lease.claim());
        return lease;
    }

    /**
     * Makes a reference that takes over one hold of a buffer, and keeps it. The hold is given up when that fails, be it
     * for want of memory.
     *
     * @return the reference
     */
    Lease lease(Buffer buffer) {
        Lease lease = null;
        try {
            lease = new Lease(this, buffer);
        } finally {
            if (lease == null) {
                buffer.drop();
            }
        }
        return keep(lease);
    }

    void forget(Holding holding) {
        holdings.remove(holding);
    }

    /**
     * Ends everything that the client left open.
     *
     * @param why for whoever still calls
     * @return how many things that were
     */
    int stop(String why) {
        stopped = why;
        int left = 0;
        for (Holding holding = holdings.poll(); holding != null; holding = holdings.poll()) {
            holding.reclaim();
            left++;
        }
        return left;
    }

    private IllegalStateException over() {
        return new IllegalStateException(
                stopped + ": buffers were taken back; get the service HeapBroker again");
    }
}
