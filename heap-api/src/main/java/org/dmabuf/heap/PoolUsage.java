// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.Objects;

/** Usage of a heap's pool: its size, hits and misses. Counts begin when the heap starts. Immutable. */
public final class PoolUsage {
    private final String name;
    private final long bytes;
    private final long hits;
    private final long misses;

    /**
     * Records a pool at one moment.
     *
     * @param name of the pool, for listings
     * @param bytes pooled now; they count as free
     * @param hits requests that the pool served
     * @param misses requests of the pool's kind that it could not serve
     * @throws IllegalArgumentException for a negative number
     */
    public PoolUsage(String name, long bytes, long hits, long misses) {
        if (bytes < 0 || hits < 0 || misses < 0) {
            throw new IllegalArgumentException("invalid pool usage of " + bytes + " bytes, " + hits + " hits and "
                    + misses + " misses: expected 0 or more of each");
        }
        this.name = Objects.requireNonNull(name, "invalid name = null: expected a text");
        this.bytes = bytes;
        this.hits = hits;
        this.misses = misses;
    }

    /** {@return the pool's name} */
    public String name() {
        return name;
    }

    /** {@return bytes that are pooled now} */
    public long bytes() {
        return bytes;
    }

    /** {@return requests that the pool served} */
    public long hits() {
        return hits;
    }

    /** {@return requests of the pool's kind that it could not serve} */
    public long misses() {
        return misses;
    }

    @Override
    public String toString() {
        return name + " pool " + bytes + " bytes, " + hits + " hits of " + (hits + misses);
    }
}
