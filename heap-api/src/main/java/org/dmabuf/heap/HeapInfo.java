// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** State of one heap as the broker knows it, at one moment. Immutable. */
public final class HeapInfo {
    /** What is known of one heap, for the broker that makes the record. Not safe for use by several threads. */
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
         * Sets why it does not serve.
         *
         * @param sentence for people, empty when it serves
         * @return this
         */
        public Builder reason(Optional<String> sentence) {
            reason = Objects.requireNonNull(sentence);
            return this;
        }

        /**
         * Sets what keeps a plain request from being served.
         *
         * @param sentence for people, empty when nothing does
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
         * @param record what is charged to the heap
         * @return this
         */
        public Builder charged(UsageRecord record) {
            charged = Objects.requireNonNull(record);
            return this;
        }

        /** {@return a record of what was set so far} */
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
     * @param state where it stands
     * @return a builder with these
     */
    public static Builder of(String name, HeapState state) {
        return new Builder(name, state);
    }

    /** {@return {@code heap.name}; for a heap refused without one, a text that distinguishes the service} */
    public String name() {
        return name;
    }

    /** {@return where it stands} */
    public HeapState state() {
        return state;
    }

    /** {@return why it does not serve, or which calls of its code hang and for how long; empty when all is well} */
    public Optional<String> reason() {
        return reason;
    }

    /**
     * Why the heap, though it serves, refuses a plain request of the client that asked for this record. A plain request
     * names the heap and asks for nothing else: no emulation is permitted, and no entry of the configuration is made
     * for it. A heap that is full or over its quota still counts as one that serves it.
     *
     * @return a sentence that says what the request or the configuration lacks; empty when nothing is lacking, and for
     *     a heap that does not serve, of which {@link #reason()} tells more
     */
    public Optional<String> plainRefusal() {
        return plainRefusal;
    }

    /**
     * {@return its service properties, those of {@link HeapProperties} among them; empty for one that did not start}
     */
    public Map<String, Object> properties() {
        return properties;
    }

    /** {@return the symbolic name of the bundle that announced it} */
    public String bundle() {
        return bundle;
    }

    /**
     * Figures that the heap itself last reported of its memory. A listing waits a second at most for all heaps
     * together, and shows an older answer for a heap that does not answer in time.
     *
     * @return nothing known for a heap that does not serve, or that has not answered yet
     */
    public HeapUsage usage() {
        return usage;
    }

    /**
     * How old {@link #usage()} is; before a heap's first answer, for how long it has been asked.
     *
     * @return zero when the heap answered for this listing
     */
    public Duration usageAge() {
        return usageAge;
    }

    /** {@return what the broker has charged to the heap, with all its clients} */
    public UsageRecord charged() {
        return charged;
    }

    @Override
    public String toString() {
        return "heap '" + name + "' " + state + reason.map(text -> ": " + text).orElse("");
    }
}
