// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;

/**
 * A receiver of the broker's events, each called on the thread that causes it. No method throws or blocks. While
 * nothing records the events, none costs more than the read of a field.
 */
public interface BrokerEvents {
    /** The record of an allocation under way. */
    interface Allocation {
        /** The record while nothing records allocations. */
        Allocation UNRECORDED = (client, heap, name, size, tried, outcome) -> {};

        /**
         * Ends the record.
         *
         * @param client the client that asked
         * @param heap that gave the buffer, or ended the request; empty for none
         * @param name of the buffer, for people
         * @param size bytes that were asked for
         * @param tried number of heaps that were tried before this one
         * @param outcome an error's name, empty for success
         */
        void end(ClientId client, String heap, String name, long size, int tried, String outcome);
    }

    /** {@return the record of an allocation that begins now} */
    default Allocation allocating() {
        return Allocation.UNRECORDED;
    }

    /**
     * Reports that a buffer's memory was given back to its heap.
     *
     * @param heap where it came from
     * @param name of the buffer
     * @param size bytes
     * @param lingers whether it may still have other holders
     */
    default void released(String heap, String name, long size, boolean lingers) {}

    /**
     * Reports that a buffer became unreachable and had not been closed.
     *
     * @param heap where it came from
     * @param client the client that lost it
     * @param name of the buffer
     * @param size bytes
     * @param site where it was allocated, a line for each call; empty when that is not kept
     */
    default void leaked(String heap, ClientId client, String name, long size, String site) {}

    /**
     * Reports that a client lost more buffers than are reported one by one.
     *
     * @param client the client that lost them
     * @param buffers how many, besides those that were reported
     * @param bytes in them
     */
    default void leakedMore(ClientId client, long buffers, long bytes) {}

    /**
     * Reports that a heap has arrived, drains or has departed.
     *
     * @param heap its name
     * @param bundle symbolic name of its bundle
     * @param state SERVING, DRAINING or DEPARTED from now on
     * @param buffers number of its live buffers
     */
    default void changed(String heap, String bundle, HeapState state, long buffers) {}

    /**
     * Reports that a request failed for want of memory.
     *
     * @param heap the heap that had none
     * @param client the client that asked
     * @param size bytes that were asked for
     * @param reason the message that the client got
     */
    default void lowMemory(String heap, ClientId client, long size, String reason) {}

    /** Ends the reports: no event follows. */
    default void close() {}
}
