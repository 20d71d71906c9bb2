// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.util.Objects;
import java.util.Optional;
import org.dmabuf.heap.ClientId;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Map of a heap's region: which bytes are in use, and by which client, for tools that draw it. A heap registers it as a
 * service with its {@code heap.name}, beside its exporter.
 */
@ConsumerType
public interface RegionMap {
    /** State of a stretch of a region. More may come. */
    enum State {
        /** To be handed out. */
        FREE,
        /** A buffer. */
        USED,
        /** Released, to be zeroed, or to have memory again, before it is free. */
        DIRTY,
        /** Released, and a holder may still see it. */
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
         * A stretch that no buffer has.
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
         * A stretch that a buffer has or had.
         *
         * @param offset bytes from the region's start
         * @param size bytes
         * @param state of the stretch
         * @param request by which the buffer was allocated
         * @return a stretch with the request's client and name
         */
        public static Stretch of(long offset, long size, State state, HeapRequest request) {
            return new Stretch(offset, size, state, request.client(), request.name());
        }

        /** {@return bytes from the region's start} */
        public long offset() {
            return offset;
        }

        /** {@return bytes} */
        public long size() {
            return size;
        }

        /** {@return the state} */
        public State state() {
            return state;
        }

        /** {@return the client whose buffer it is, or was while it is quarantined; empty where that is not known} */
        public Optional<ClientId> client() {
            return client;
        }

        /** {@return the name of that buffer, empty when it has none} */
        public Optional<String> buffer() {
            return buffer;
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
         * One stretch; the next one begins where it ends.
         *
         * @param stretch as it was at the moment of the call that iterates
         */
        void stretch(Stretch stretch);
    }

    /** {@return bytes of the region} */
    long size();

    /**
     * Shows the whole region as it is at the moment of the call.
     *
     * @param visitor called by this thread, under no lock
     */
    void forEachStretch(Visitor visitor);
}
