// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

/** Deferred work that runs an action of a test. */
public final class Piece extends LinkedDeferredWork {
    private final String name;
    private final long bytes;
    private final Runnable work;

    Piece(String name, long bytes, Runnable work) {
        this.name = name;
        this.bytes = bytes;
        this.work = work;
    }

    public static Piece of(Runnable work) {
        return new Piece("the work", 1, work);
    }

    @Override
    public void perform() {
        work.run();
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public String toString() {
        return name;
    }
}
