// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Snapshot of the account of a heap, of a client, or of a client on one heap: charged memory and counts of past events.
 * A count begins when the heap or client is first listed and never falls while it is listed. It restarts from 0 if the
 * heap or client was gone, with all its memory, and came back. Immutable.
 */
public final class UsageRecord {
    /** Builder of a record, for the broker. Not thread-safe. */
    public static final class Builder {
        private Optional<String> heap = Optional.empty();
        private Optional<ClientId> client = Optional.empty();
        private long liveBuffers;
        private long liveBytes;
        private long lingeringBuffers;
        private long lingeringBytes;
        private long peakBytes;
        private OptionalLong limit = OptionalLong.empty();
        private long allocations;
        private long allocatedBytes;
        private Map<Errno, Long> failures = Map.of();
        private long waits;
        private Duration waited = Duration.ZERO;
        private Duration longestWait = Duration.ZERO;
        private DurationHistogram waitTimes = DurationHistogram.empty();
        private DurationHistogram allocationTimes = DurationHistogram.empty();
        private long leakedBuffers;

        private Builder() {}

        /**
         * Names the heap.
         *
         * @param name the heap's name
         * @return this
         */
        public Builder heap(String name) {
            heap = Optional.of(name);
            return this;
        }

        /**
         * Names the client.
         *
         * @param id the client
         * @return this
         */
        public Builder client(ClientId id) {
            client = Optional.of(id);
            return this;
        }

        /**
         * Sets the memory that is referenced or mapped in this process.
         *
         * @param buffers number of these buffers
         * @param bytes bytes in them
         * @return this
         */
        public Builder live(long buffers, long bytes) {
            liveBuffers = buffers;
            liveBytes = bytes;
            return this;
        }

        /**
         * Sets the memory that this process has closed and that other holders keep.
         *
         * @param buffers number of these buffers
         * @param bytes bytes in them
         * @return this
         */
        public Builder lingering(long buffers, long bytes) {
            lingeringBuffers = buffers;
            lingeringBytes = bytes;
            return this;
        }

        /**
         * Sets the peak.
         *
         * @param bytes the most that were charged at one moment
         * @return this
         */
        public Builder peak(long bytes) {
            peakBytes = bytes;
            return this;
        }

        /**
         * Sets the quota.
         *
         * @param bytes the quota, empty without a quota
         * @return this
         */
        public Builder limit(OptionalLong bytes) {
            limit = Objects.requireNonNull(bytes);
            return this;
        }

        /**
         * Sets how much was allocated or adopted.
         *
         * @param buffers number of these buffers
         * @param bytes bytes in them
         * @return this
         */
        public Builder allocated(long buffers, long bytes) {
            allocations = buffers;
            allocatedBytes = bytes;
            return this;
        }

        /**
         * Sets the failures.
         *
         * @param byCause number of failures for each cause
         * @return this
         */
        public Builder failures(Map<Errno, Long> byCause) {
            failures = Map.copyOf(byCause);
            return this;
        }

        /**
         * Sets the waits for memory.
         *
         * @param count number of requests that waited
         * @param total total time of all waits
         * @param longest time of the longest wait
         * @return this
         */
        public Builder waits(long count, Duration total, Duration longest) {
            waits = count;
            waited = Objects.requireNonNull(total);
            longestWait = Objects.requireNonNull(longest);
            return this;
        }

        /**
         * Sets the distribution of the waits.
         *
         * @param times time of each wait
         * @return this
         */
        public Builder waitTimes(DurationHistogram times) {
            waitTimes = Objects.requireNonNull(times);
            return this;
        }

        /**
         * Sets the distribution of the allocation times.
         *
         * @param times time of each timed allocation
         * @return this
         */
        public Builder allocationTimes(DurationHistogram times) {
            allocationTimes = Objects.requireNonNull(times);
            return this;
        }

        /**
         * Sets the leaks.
         *
         * @param buffers number of buffers that became unreachable without a close
         * @return this
         */
        public Builder leaked(long buffers) {
            leakedBuffers = buffers;
            return this;
        }

        /** {@return a record with the figures set so far; the others are 0 or empty} */
        public UsageRecord build() {
            return new UsageRecord(this);
        }
    }

    private final Optional<String> heap;
    private final Optional<ClientId> client;
    private final long liveBuffers;
    private final long liveBytes;
    private final long lingeringBuffers;
    private final long lingeringBytes;
    private final long peakBytes;
    private final OptionalLong limit;
    private final long allocations;
    private final long allocatedBytes;
    private final Map<Errno, Long> failures;
    private final long waits;
    private final Duration waited;
    private final Duration longestWait;
    private final DurationHistogram waitTimes;
    private final DurationHistogram allocationTimes;
    private final long leakedBuffers;

    private UsageRecord(Builder from) {
        heap = from.heap;
        client = from.client;
        liveBuffers = from.liveBuffers;
        liveBytes = from.liveBytes;
        lingeringBuffers = from.lingeringBuffers;
        lingeringBytes = from.lingeringBytes;
        peakBytes = from.peakBytes;
        limit = from.limit;
        allocations = from.allocations;
        allocatedBytes = from.allocatedBytes;
        failures = from.failures;
        waits = from.waits;
        waited = from.waited;
        longestWait = from.longestWait;
        waitTimes = from.waitTimes;
        allocationTimes = from.allocationTimes;
        leakedBuffers = from.leakedBuffers;
    }

    /** {@return a builder without figures} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return the heap's name, empty for a client on all heaps} */
    public Optional<String> heap() {
        return heap;
    }

    /** {@return the client, empty for a heap with all its clients} */
    public Optional<ClientId> client() {
        return client;
    }

    /** {@return buffers that are referenced or mapped in this process} */
    public long liveBuffers() {
        return liveBuffers;
    }

    /** {@return bytes in the live buffers} */
    public long liveBytes() {
        return liveBytes;
    }

    /**
     * Returns the number of lingering buffers. This process has closed and unmapped them, but their memory still has a
     * holder: another process, a device, or an open descriptor in this process. A buffer is either live or lingering,
     * never both.
     *
     * @return number of buffers
     */
    public long lingeringBuffers() {
        return lingeringBuffers;
    }

    /** {@return bytes in the lingering buffers} */
    public long lingeringBytes() {
        return lingeringBytes;
    }

    /**
     * Returns the most bytes, live and lingering, that were charged at one moment since {@link HeapMonitor#resetPeaks}
     * of the monitor that made this record. For a client on all heaps this includes bytes that a quota had reserved for
     * calls in progress.
     *
     * @return bytes
     */
    public long peakBytes() {
        return peakBytes;
    }

    /** {@return the quota in bytes for live and lingering buffers together; empty without a quota} */
    public OptionalLong limit() {
        return limit;
    }

    /** {@return buffers that were allocated or adopted} */
    public long allocations() {
        return allocations;
    }

    /** {@return bytes in the buffers that were allocated or adopted} */
    public long allocatedBytes() {
        return allocatedBytes;
    }

    /**
     * Returns how often an allocation or adoption failed. For a heap, each refusal by the heap, or by the broker for
     * that heap, counts. For a client, each request that got no buffer counts. The record of a client on one heap has
     * no failures.
     *
     * @return count by cause, in the order of {@link Errno}, without causes that did not occur
     */
    public Map<Errno, Long> failures() {
        if (failures.isEmpty()) {
            return Map.of();
        }
        return Collections.unmodifiableMap(new EnumMap<>(failures));
    }

    /** {@return requests that waited for the release of memory} */
    public long waits() {
        return waits;
    }

    /** {@return the total time that requests waited} */
    public Duration waited() {
        return waited;
    }

    /** {@return the time of the longest wait} */
    public Duration longestWait() {
        return longestWait;
    }

    /** {@return the times of the waits; empty for a client on one heap} */
    public DurationHistogram waitTimes() {
        return waitTimes;
    }

    /**
     * Returns how long the heap's code took for a sample of the buffers that it returned.
     *
     * @return empty for a client on one heap, before {@link HeapMonitor#timeAllocations()}, and with the in-memory
     *     broker
     */
    public DurationHistogram allocationTimes() {
        return allocationTimes;
    }

    /**
     * {@return references to buffers that a client lost without closing them; 0 for a client on one heap, and with the
     * in-memory broker}
     */
    public long leakedBuffers() {
        return leakedBuffers;
    }

    /**
     * Converts the record to a map that a JSON library can write. Keys are the names of the methods above, except for
     * the histograms; values are String, Long, or a map of these. Durations are in nanoseconds. An empty value has no
     * key.
     *
     * @return a map in the order of the methods
     */
    public Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        heap.ifPresent(name -> map.put("heap", name));
        client.ifPresent(id -> map.put("client", id.toString()));
        map.put("liveBuffers", liveBuffers);
        map.put("liveBytes", liveBytes);
        map.put("lingeringBuffers", lingeringBuffers);
        map.put("lingeringBytes", lingeringBytes);
        map.put("peakBytes", peakBytes);
        limit.ifPresent(bytes -> map.put("limit", bytes));
        map.put("allocations", allocations);
        map.put("allocatedBytes", allocatedBytes);
        Map<String, Object> byCause = new LinkedHashMap<>();
        failures().forEach((errno, count) -> byCause.put(errno.name(), count));
        map.put("failures", byCause);
        map.put("waits", waits);
        map.put("waited", waited.toNanos());
        map.put("longestWait", longestWait.toNanos());
        map.put("leakedBuffers", leakedBuffers);
        return map;
    }

    @Override
    public String toString() {
        return toMap().toString();
    }
}
