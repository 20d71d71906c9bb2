// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.concurrent.atomic.AtomicLong;

/** Lifetime of a region, which exists until it is closed and its last buffer and thread have left. */
final class RegionLifetime {
    private final Runnable end;
    private final AtomicLong stays = new AtomicLong(1); // 1 for the open region itself
    private volatile boolean closed;

    /** @param end runs once, in the thread of the last leave */
    RegionLifetime(Runnable end) {
        this.end = end;
    }

    /** {@return whether the region is open; if so, it exists at least until {@link #leave}} */
    boolean enter() {
        return !closed && stay();
    }

    /** {@return whether the region still exists; if so, it exists at least until {@link #leave}} */
    boolean stay() {
        long now;
        do {
            now = stays.get();
            if (now == 0) {
                return false;
            }
        } while (!stays.compareAndSet(now, now + 1));
        return true;
    }

    void leave() {
        if (stays.decrementAndGet() == 0) {
            end.run();
        }
    }

    /** {@return whether this was the first call, after which the caller must leave} */
    synchronized boolean close() {
        boolean first = !closed;
        closed = true;
        return first;
    }
}
