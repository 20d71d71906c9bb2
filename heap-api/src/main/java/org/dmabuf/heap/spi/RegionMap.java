// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.dmabuf.heap.ClientId;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Map of a heap's region, for tools that draw it: the state and the client of each range. A heap registers it as a
 * service with its {@code heap.name}, in addition to its exporter.
 */
@ConsumerType
public interface RegionMap {
    /** State of a stretch of a region. A minor version may add more. */
    enum State {
        /** Free to be allocated. */
        FREE,
        /** In use by a buffer. */
        USED,
        /** Released. It becomes free when it is zeroed, or has pages again. */
        DIRTY,
        /** Released, but a holder may still access it. */
        QUARANTINED
    }

    /** Stretch of a region at one moment. Immutable. */
    final class Stretch {
        private final long offset;
        private final long size;
        private final State state;
        private final Optional<ClientId> client;
        private final Optional<String> buffer;

        private Stretch(long offset, long size, State state, Optional<ClientId> client, Optional<String> buffer) {
            this.offset = offset;
            this.size = size;
            this.state = Objects.requireNonNull(state);
            this.client = Objects.requireNonNull(client);
            this.buffer = Objects.requireNonNull(buffer);
        }

        /**
         * Returns a stretch without a buffer.
         *
         * @param offset bytes from the region's start
         * @param size bytes
         * @param state anything but {@link State#USED}
         * @return a stretch
         */
        public static Stretch of(long offset, long size, State state) {
            return new Stretch(offset, size, state, Optional.empty(), Optional.empty());
        }

        /**
         * Returns a stretch that belongs to a buffer, or did before its release.
         *
         * @param offset bytes from the region's start
         * @param size bytes
         * @param state of the stretch
         * @param request the request of the buffer's allocation
         * @return a stretch with the request's client and name
         */
        public static Stretch of(long offset, long size, State state, HeapRequest request) {
            return new Stretch(offset, size, state, request.client(), request.name());
        }

        /** {@return bytes from the region's start} */
        public long offset() {
            return offset;
        }

        /** {@return the size in bytes} */
        public long size() {
            return size;
        }

        /** {@return the state} */
        public State state() {
            return state;
        }

        /**
         * {@return the client of the buffer, also while the stretch is quarantined after the release; empty if unknown}
         */
        public Optional<ClientId> client() {
            return client;
        }

        /** {@return the name of that buffer, empty without a name} */
        public Optional<String> buffer() {
            return buffer;
        }

        /**
         * Returns all values by name, for a tool that writes JSON.
         *
         * @return {@code offset} and {@code size} in bytes; {@code state} in lower case; {@code buffer} and
         *     {@code client} where they are known
         */
        public Map<String, Object> toMap() {
            Map<String, Object> map = new LinkedHashMap<>();
            map.put("offset", offset);
            map.put("size", size);
            map.put("state", state.toString().toLowerCase(Locale.ROOT));
            buffer.ifPresent(name -> map.put("buffer", name));
            client.ifPresent(id -> map.put("client", id.toString()));
            return map;
        }

        @Override
        public String toString() {
            return state + " " + size + " bytes at " + offset
                    + client.map(id -> " of " + id).orElse("")
                    + buffer.map(name -> " '" + name + "'").orElse("");
        }
    }

    /** Visitor of stretches in the order of their offsets. */
    @FunctionalInterface
    @ConsumerType
    interface Visitor {
        /**
         * Visits one stretch. The next one begins where it ends.
         *
         * @param stretch its state at the time of the call of {@link RegionMap#forEachStretch}
         */
        void stretch(Stretch stretch);
    }

    /** {@return the size of the region in bytes} */
    long size();

    /**
     * Visits all stretches of the region in their state at the time of the call.
     *
     * @param visitor called by this thread, without a lock held
     */
    void forEachStretch(Visitor visitor);
}
