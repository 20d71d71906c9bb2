// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.dmabuf.heap.DurationHistogram;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.UsageRecord;

/** Sums of records of several clients. */
final class UsageSum {
    private UsageSum() {}

    /** {@return the sum of two records, without a quota, because their quotas are separate} */
    static UsageRecord of(UsageRecord one, UsageRecord other) {
        return counts(one, other)
                .live(one.liveBuffers() + other.liveBuffers(), one.liveBytes() + other.liveBytes())
                .lingering(
                        one.lingeringBuffers() + other.lingeringBuffers(),
                        one.lingeringBytes() + other.lingeringBytes())
                .peak(one.peakBytes() + other.peakBytes())
                .limit(OptionalLong.empty())
                .build();
    }

    /** {@return the first record with the counts of past events of both} */
    static UsageRecord ofCounts(UsageRecord one, UsageRecord gone) {
        return counts(one, gone)
                .live(one.liveBuffers(), one.liveBytes())
                .lingering(one.lingeringBuffers(), one.lingeringBytes())
                .peak(one.peakBytes())
                .limit(one.limit())
                .build();
    }

    /** {@return whether a count of the first record is lower, so that it is the record of another account} */
    static boolean isBelow(UsageRecord now, UsageRecord last) {
        return now.allocations() < last.allocations()
                || now.allocatedBytes() < last.allocatedBytes()
                || now.waits() < last.waits()
                || now.leakedBuffers() < last.leakedBuffers()
                || isBelow(now.allocationTimes(), last.allocationTimes())
                || isBelow(now.waitTimes(), last.waitTimes())
                || last.failures().entrySet().stream()
                        .anyMatch(failure -> now.failures().getOrDefault(failure.getKey(), 0L) < failure.getValue());
    }

    private static boolean isBelow(DurationHistogram now, DurationHistogram last) {
        return now.total().compareTo(last.total()) < 0
                || IntStream.range(0, last.counts().size())
                        .anyMatch(i -> now.counts().get(i) < last.counts().get(i));
    }

    private static UsageRecord.Builder counts(UsageRecord one, UsageRecord other) {
        Map<Errno, Long> failures = new EnumMap<>(Errno.class);
        failures.putAll(one.failures());
        other.failures().forEach((cause, count) -> failures.merge(cause, count, Long::sum));
        Duration longest =
                one.longestWait().compareTo(other.longestWait()) > 0 ? one.longestWait() : other.longestWait();
        return UsageRecord.builder()
                .allocated(one.allocations() + other.allocations(), one.allocatedBytes() + other.allocatedBytes())
                .failures(failures)
                .waits(one.waits() + other.waits(), one.waited().plus(other.waited()), longest)
                .waitTimes(one.waitTimes().plus(other.waitTimes()))
                .allocationTimes(one.allocationTimes().plus(other.allocationTimes()))
                .leaked(one.leakedBuffers() + other.leakedBuffers());
    }
}
