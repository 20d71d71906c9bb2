// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

/** Something that a client has open of a buffer. Each holds the memory until it is closed. */
abstract class Use {
    private final String what;
    private final Memory memory;
    private final ClientBroker client;
    private final Site site = Site.here();
    /** Written under the lock of the inventory. */
    private volatile boolean over;

    Use(String what, Memory memory, ClientBroker client) {
        this.what = what;
        this.memory = memory;
        this.client = client;
    }

    Memory memory() {
        return memory;
    }

    ClientBroker client() {
        return client;
    }

    /** Throws {@link IllegalStateException} when it is closed. */
    void requireOpen() {
        if (over) {
            throw new IllegalStateException("this is a " + this);
        }
    }

    boolean isOver() {
        return over;
    }

    void markOver() {
        over = true;
    }

    /** {@return whether it has ended by itself} */
    boolean hasLapsed() {
        return false;
    }

    /** Ends it for a client that has stopped. */
    void takeBack() {
        close();
    }

    public void close() {
        client.inventory().end(this);
    }

    /** {@return what it is, and where it was opened} */
    String described() {
        return this + ", " + site;
    }

    @Override
    public String toString() {
        return (over ? "closed " : "") + what + " of a " + memory;
    }
}
