// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

/**
 * The counters of one account. The lock of the {@link HeapAccount} guards them, so a reading is of one moment. No sum
 * of what is out overflows: nothing is added that does not fit {@link #limit}, which is at most {@link Long#MAX_VALUE}.
 */
final class UsageCounters {
    /** Bytes that may be charged and reserved together. Read without the lock to see whether there is a limit. */
    volatile long limit = Rules.UNLIMITED;

    /** Bytes that are set aside for calls under way. */
    private long reserved;
    // Live and lingering together, so that a buffer that begins to linger changes nothing here.
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

    /** {@return the peak so far; the next one begins with what is charged now} */
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
