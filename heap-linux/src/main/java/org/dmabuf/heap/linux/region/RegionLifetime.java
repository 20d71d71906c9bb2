// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.concurrent.atomic.AtomicLong;

/** Lifetime of a region, which stays until it was closed and the last of its tenants and threads has left. */
final class RegionLifetime {
    private final Runnable end;
    private final AtomicLong stays = new AtomicLong(1); // the first is the open region's own
    private volatile boolean closed;

    /** @param end run once, by the last that leaves */
    RegionLifetime(Runnable end) {
        this.end = end;
    }

    /** {@return whether the region is open, and stays until {@link #leave}} */
    boolean enter() {
        return !closed && stay();
    }

    /** {@return whether the region is still there, and stays until {@link #leave}} */
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

    /** {@return whether this was the first call, so that the caller is to leave} */
    synchronized boolean close() {
        boolean first = !closed;
        closed = true;
        return first;
    }
}
