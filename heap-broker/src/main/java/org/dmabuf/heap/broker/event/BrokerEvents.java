// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import java.util.List;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;

/**
 * Receiver of the broker's events. Each method is called on the thread that causes the event, and neither throws nor
 * blocks. While no recording is active, a call costs no more than the read of a field.
 */
public interface BrokerEvents {
    /** The recording of an allocation in progress. */
    interface Allocation {
        /** The recording that does nothing. */
        Allocation UNRECORDED = (client, heap, name, size, tried, outcome) -> {};

        /**
         * Ends the recording.
         *
         * @param client the client that asked
         * @param heap the heap that returned the buffer or ended the request; empty for none
         * @param name the name of the buffer
         * @param size requested bytes
         * @param tried the number of heaps that were asked before this one
         * @param outcome the name of the error, empty for success
         */
        void end(ClientId client, String heap, String name, long size, int tried, String outcome);
    }

    /** {@return the recording of an allocation that begins now} */
    default Allocation allocating() {
        return Allocation.UNRECORDED;
    }

    /**
     * Reports that a buffer's memory was returned to its heap.
     *
     * @param heap the heap of the buffer
     * @param name the name of the buffer
     * @param size bytes
     * @param lingers whether the memory may still have other holders
     */
    default void released(String heap, String name, long size, boolean lingers) {}

    /**
     * Reports that a buffer became unreachable without a close.
     *
     * @param heap the heap of the buffer
     * @param client the client that lost it
     * @param name the name of the buffer
     * @param size bytes
     * @param site where it was allocated, one line for each call; empty when sites are not recorded
     */
    default void leaked(String heap, ClientId client, String name, long size, String site) {}

    /**
     * Reports buffers that a client lost beyond those that were reported one by one.
     *
     * @param client the client that lost them
     * @param buffers the number of these buffers
     * @param bytes in them
     */
    default void leakedMore(ClientId client, long buffers, long bytes) {}

    /**
     * Reports that a heap has arrived, drains or has departed.
     *
     * @param heap its name
     * @param bundle symbolic name of its bundle
     * @param state its new state: SERVING, DRAINING or DEPARTED
     * @param buffers number of its live buffers
     */
    default void changed(String heap, String bundle, HeapState state, long buffers) {}

    /**
     * Reports that a request failed with a shortage.
     *
     * @param heap the heap that had too little memory
     * @param client the client that asked
     * @param size requested bytes
     * @param reason the message of the client's exception
     */
    default void lowMemory(String heap, ClientId client, long size, String reason) {}

    /**
     * Reports that no plan was possible for a request with devices or demands.
     *
     * @param client the client that asked
     * @param devices the devices of the request
     * @param size requested bytes
     * @param error the name of the error
     * @param reason the message of the client's exception
     */
    default void planRefused(ClientId client, List<String> devices, long size, String error, String reason) {}

    /** Ends the receiver. No event follows. */
    default void close() {}
}
