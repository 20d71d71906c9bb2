// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** Snapshot of one heap: its state, its properties, and the figures of the heap and the broker. Immutable. */
public final class HeapInfo {
    /** Builder of a record, for the broker. Not thread-safe. */
    public static final class Builder {
        private final String name;
        private final HeapState state;
        private Optional<String> reason = Optional.empty();
        private Optional<String> plainRefusal = Optional.empty();
        private Map<String, Object> properties = Map.of();
        private String bundle = "";
        private HeapUsage usage = HeapUsage.unknown();
        private Duration usageAge = Duration.ZERO;
        private UsageRecord charged;

        private Builder(String name, HeapState state) {
            this.name = Objects.requireNonNull(name);
            this.state = Objects.requireNonNull(state);
            charged = UsageRecord.builder().heap(name).build();
        }

        /**
         * Sets the reason why the heap does not serve.
         *
         * @param sentence the reason for a person to read, empty for a heap that serves
         * @return this
         */
        public Builder reason(Optional<String> sentence) {
            reason = Objects.requireNonNull(sentence);
            return this;
        }

        /**
         * Sets the reason why a plain request is refused.
         *
         * @param sentence the reason for a person to read, empty when a plain request is served
         * @return this
         */
        public Builder plainRefusal(Optional<String> sentence) {
            plainRefusal = Objects.requireNonNull(sentence);
            return this;
        }

        /**
         * Sets the service properties.
         *
         * @param announced by the heap
         * @return this
         */
        public Builder properties(Map<String, Object> announced) {
            properties = Collections.unmodifiableMap(new LinkedHashMap<>(announced));
            return this;
        }

        /**
         * Sets the bundle.
         *
         * @param symbolicName of the bundle that announced the heap
         * @return this
         */
        public Builder bundle(String symbolicName) {
            bundle = Objects.requireNonNull(symbolicName);
            return this;
        }

        /**
         * Sets the heap's own figures.
         *
         * @param reported by the heap
         * @param age of the report
         * @return this
         */
        public Builder usage(HeapUsage reported, Duration age) {
            usage = Objects.requireNonNull(reported);
            usageAge = Objects.requireNonNull(age);
            return this;
        }

        /**
         * Sets the broker's figures.
         *
         * @param record the memory that is charged to the heap
         * @return this
         */
        public Builder charged(UsageRecord record) {
            charged = Objects.requireNonNull(record);
            return this;
        }

        /** {@return a record with the values set so far} */
        public HeapInfo build() {
            return new HeapInfo(this);
        }
    }

    private final String name;
    private final HeapState state;
    private final Optional<String> reason;
    private final Optional<String> plainRefusal;
    private final Map<String, Object> properties;
    private final String bundle;
    private final HeapUsage usage;
    private final Duration usageAge;
    private final UsageRecord charged;

    private HeapInfo(Builder from) {
        name = from.name;
        state = from.state;
        reason = from.reason;
        plainRefusal = from.plainRefusal;
        properties = from.properties;
        bundle = from.bundle;
        usage = from.usage;
        usageAge = from.usageAge;
        charged = from.charged;
    }

    /**
     * Begins a record.
     *
     * @param name the heap's name
     * @param state the heap's state
     * @return a builder with these values
     */
    public static Builder of(String name, HeapState state) {
        return new Builder(name, state);
    }

    /** {@return {@code heap.name}; for a heap refused without one, a text that distinguishes the service} */
    public String name() {
        return name;
    }

    /** {@return the heap's state} */
    public HeapState state() {
        return state;
    }

    /** {@return why it does not serve, or which calls of its code hang and for how long; empty without a problem} */
    public Optional<String> reason() {
        return reason;
    }

    /**
     * Returns why a serving heap refuses a plain request of the client that asked for this record. A plain request only
     * names the heap: it permits no emulation, and the configuration has no entry for it. A heap that is full or over
     * its quota counts as serving a plain request.
     *
     * @return a sentence that names the missing part of the request or of the configuration; empty when nothing is
     *     missing. Empty also for a heap that does not serve: {@link #reason()} returns its reason
     */
    public Optional<String> plainRefusal() {
        return plainRefusal;
    }

    /**
     * {@return its service properties, including those of {@link HeapProperties}; empty for a heap that did not start}
     */
    public Map<String, Object> properties() {
        return properties;
    }

    /** {@return the symbolic name of the bundle that announced it} */
    public String bundle() {
        return bundle;
    }

    /**
     * Returns the figures that the heap last reported about its memory. A listing waits at most one second for all
     * heaps together. For a heap that does not answer in time it has the previous answer.
     *
     * @return {@link HeapUsage#unknown()} for a heap that does not serve or has not answered yet
     */
    public HeapUsage usage() {
        return usage;
    }

    /**
     * Returns the age of {@link #usage()}; before the heap's first answer, the time since it was asked.
     *
     * @return zero when the heap answered for this listing
     */
    public Duration usageAge() {
        return usageAge;
    }

    /** {@return the memory that the broker has charged to the heap, for all clients together} */
    public UsageRecord charged() {
        return charged;
    }

    @Override
    public String toString() {
        return "heap '" + name + "' " + state + reason.map(text -> ": " + text).orElse("");
    }
}
