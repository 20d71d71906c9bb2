// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DurationHistogram;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.UsageRecord;

/**
 * Account of a heap, of a client, or of a client on one heap: its charges now and in the past. The inventory's lock
 * guards it.
 */
final class Account {
    /** Key of an account: a heap, a client, or both. */
    record Key(Optional<String> heap, Optional<ClientId> client) {
        static Key of(String heap) {
            return new Key(Optional.of(heap), Optional.empty());
        }

        static Key of(ClientId client) {
            return new Key(Optional.empty(), Optional.of(client));
        }

        static Key of(ClientId client, String heap) {
            return new Key(Optional.of(heap), Optional.of(client));
        }
    }

    private final Map<Errno, Long> failures = new EnumMap<>(Errno.class);
    private long charged;
    private long peak;
    private long allocations;
    private long allocatedBytes;
    private long waits;
    private Duration waited = Duration.ZERO;
    private Duration longestWait = Duration.ZERO;
    private final long[] waitTimes = new long[DurationHistogram.bounds().size() + 1];

    void charge(long bytes) {
        charged += bytes;
        peak = Math.max(peak, charged);
        allocations++;
        allocatedBytes += bytes;
    }

    void release(long bytes) {
        charged -= bytes;
    }

    void failed(Errno cause) {
        failures.merge(cause, 1L, Long::sum);
    }

    void waited(Duration time) {
        waits++;
        waitTimes[DurationHistogram.interval(time.toNanos())]++;
        waited = waited.plus(time);
        longestWait = longestWait.compareTo(time) < 0 ? time : longestWait;
    }

    void resetPeak() {
        peak = charged;
    }

    long charged() {
        return charged;
    }

    UsageRecord.Builder to(UsageRecord.Builder record) {
        return record.peak(peak)
                .allocated(allocations, allocatedBytes)
                .failures(failures)
                .waits(waits, waited, longestWait)
                .waitTimes(DurationHistogram.of(waitTimes, waited));
    }
}
