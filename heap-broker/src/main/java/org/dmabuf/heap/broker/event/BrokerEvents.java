// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import org.dmabuf.heap.HeapState;

/**
 * Is told what happens in the broker. Called on the thread that it happens on: no method throws, blocks, or costs more
 * than a look at a field while nobody wants to know.
 */
public interface BrokerEvents {
    /** One allocation under way. */
    interface Allocation {
        /** While nobody records. */
        Allocation UNRECORDED = (client, heap, name, size, tried, outcome) -> {};

        /**
         * Ends it.
         *
         * @param client symbolic name of the bundle that asked
         * @param heap that gave the buffer, or ended the request; empty for none
         * @param name of the buffer, for people
         * @param size bytes that were asked for
         * @param tried heaps that were looked at before this one
         * @param outcome an error's name, empty for success
         */
        void end(String client, String heap, String name, long size, int tried, String outcome);
    }

    /** {@return an allocation that begins now} */
    default Allocation allocating() {
        return Allocation.UNRECORDED;
    }

    /**
     * A buffer's memory was given back to its heap.
     *
     * @param heap where it came from
     * @param name of the buffer
     * @param size bytes
     * @param lingers whether others may still hold it
     */
    default void released(String heap, String name, long size, boolean lingers) {}

    /**
     * A buffer became unreachable and had not been closed.
     *
     * @param heap where it came from
     * @param client symbolic name of the bundle that lost it
     * @param name of the buffer
     * @param size bytes
     * @param site where it was allocated, a line for each call; empty when that is not kept
     */
    default void leaked(String heap, String client, String name, long size, String site) {}

    /**
     * A client lost more buffers than are reported one by one.
     *
     * @param client symbolic name of the bundle that lost them
     * @param buffers how many, besides those that were told
     * @param bytes in them
     */
    default void leakedMore(String client, long buffers, long bytes) {}

    /**
     * A heap came, or goes.
     *
     * @param heap its name
     * @param bundle symbolic name of its bundle
     * @param state SERVING, DRAINING or DEPARTED from now on
     * @param buffers that live of it
     */
    default void changed(String heap, String bundle, HeapState state, long buffers) {}

    /**
     * A request failed for want of memory.
     *
     * @param heap that had none
     * @param size bytes that were asked for
     * @param reason the sentence that the client got
     */
    default void lowMemory(String heap, long size, String reason) {}

    /** Is told nothing more. */
    default void close() {}
}
