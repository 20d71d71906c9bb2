// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.OptionalLong;
import org.dmabuf.heap.UsageRecord;

/**
 * Usage of one account at one moment.
 *
 * @param liveBuffers buffers that are referenced or mapped in this process
 * @param liveBytes bytes in live buffers
 * @param lingeringBuffers buffers that only holders outside this process use
 * @param lingeringBytes bytes in lingering buffers
 * @param peakBytes the most live and lingering bytes at any one time
 * @param limit the limit in bytes, {@link Rules#UNLIMITED} for none
 * @param allocations buffers ever charged
 * @param allocatedBytes bytes in the buffers ever charged
 */
public record UsageSnapshot(
        long liveBuffers,
        long liveBytes,
        long lingeringBuffers,
        long lingeringBytes,
        long peakBytes,
        long limit,
        long allocations,
        long allocatedBytes) {
    public static final UsageSnapshot NONE = new UsageSnapshot(0, 0, 0, 0, 0, Rules.UNLIMITED, 0, 0);

    UsageSnapshot withPeak(long bytes) {
        return new UsageSnapshot(
                liveBuffers, liveBytes, lingeringBuffers, lingeringBytes, bytes, limit, allocations, allocatedBytes);
    }

    /** Writes the usage into a record. */
    public UsageRecord.Builder to(UsageRecord.Builder record) {
        return record.live(liveBuffers, liveBytes)
                .lingering(lingeringBuffers, lingeringBytes)
                .peak(peakBytes)
                .limit(limit == Rules.UNLIMITED ? OptionalLong.empty() : OptionalLong.of(limit))
                .allocated(allocations, allocatedBytes);
    }
}
