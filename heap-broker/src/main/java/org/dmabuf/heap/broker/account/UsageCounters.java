// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

/**
 * Counters of one account. The lock of the {@link HeapAccount} guards them, so a snapshot is consistent. The sums
 * of current bytes cannot overflow: an addition beyond {@link #limit} is refused, and the limit is at most {@link
 * Long#MAX_VALUE}.
 */
final class UsageCounters {
    /** One allocation in this number is timed. */
    private static final int SAMPLED = 64;

    /**
     * The most bytes that may be charged and reserved together. Read without the lock to check whether a limit applies.
     */
    volatile long limit = Rules.UNLIMITED;

    /** Bytes that are reserved for allocations in progress. */
    private long reserved;
    // Live and lingering buffers together: a buffer that begins to linger does not change these sums.
    private long buffers;
    private long bytes;
    private long lingeringBuffers;
    private long lingeringBytes;
    private long peak;
    /** Buffers ever charged, and the bytes in them. */
    private long allocations;

    private long allocatedBytes;

    boolean limited() {
        return limit != Rules.UNLIMITED;
    }

    boolean fits(long size) {
        return size <= limit - bytes - reserved;
    }

    void reserve(long size) {
        reserved += size;
    }

    void unreserve(long size) {
        reserved -= size;
    }

    void charge(long size) {
        buffers++;
        bytes += size;
        peak = Math.max(peak, bytes);
        allocations++;
        allocatedBytes += size;
    }

    void linger(long size) {
        lingeringBuffers++;
        lingeringBytes += size;
    }

    void uncharge(long size, boolean lingering) {
        buffers--;
        bytes -= size;
        if (lingering) {
            lingeringBuffers--;
            lingeringBytes -= size;
        }
    }

    boolean isSampled() {
        return allocations % SAMPLED == 0;
    }

    /** {@return the peak so far; the next peak begins with the bytes that are charged now} */
    long restartPeak() {
        long before = peak;
        peak = bytes;
        return before;
    }

    long buffers() {
        return buffers;
    }

    long bytes() {
        return bytes;
    }

    /** {@return bytes that count against the limit} */
    long used() {
        return bytes + reserved;
    }

    UsageSnapshot snapshot() {
        return new UsageSnapshot(
                buffers - lingeringBuffers,
                bytes - lingeringBytes,
                lingeringBuffers,
                lingeringBytes,
                peak,
                limit,
                allocations,
                allocatedBytes);
    }
}
