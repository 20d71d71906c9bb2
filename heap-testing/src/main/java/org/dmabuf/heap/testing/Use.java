// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

/**
 * Open object of a buffer: a reference, mapping, CPU access, descriptor or publication. It holds the memory until it is
 * closed.
 */
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

    /** Throws {@link IllegalStateException} if it is closed. */
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

    /** {@return whether it has ended without a close} */
    boolean hasLapsed() {
        return false;
    }

    /** Closes it for a stopped client. */
    void takeBack() {
        close();
    }

    public void close() {
        client.inventory().end(this);
    }

    /** {@return a description with the place where it was opened} */
    String described() {
        return this + ", " + site;
    }

    @Override
    public String toString() {
        return (over ? "closed " : "") + what + " of a " + memory;
    }
}
