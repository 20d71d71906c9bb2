// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Map of a heap's region: which bytes are in use, for tools that draw it. A heap registers it as a service with its
 * {@code heap.name}, beside its exporter.
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

    /** Visitor of stretches in the order of their offsets. */
    interface Visitor {
        /**
         * One stretch; the next one begins where it ends.
         *
         * @param offset bytes from the region's start
         * @param size bytes
         * @param state at the moment of the call that iterates
         */
        void stretch(long offset, long size, State state);
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
