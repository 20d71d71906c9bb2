// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import org.dmabuf.heap.HeapState;

/** Is told what an operator wants to know at once. Called on the thread that it happens on: does not block or throw. */
interface BrokerListener {
    /**
     * A heap came, or goes.
     *
     * @param heap its name
     * @param bundle symbolic name of its bundle
     * @param state SERVING, DRAINING or DEPARTED
     * @param buffers that live of it
     */
    void heapChanged(String heap, String bundle, HeapState state, long buffers);

    /**
     * A request failed for want of memory.
     *
     * @param heap that had none
     * @param size bytes that were asked for
     * @param reason the sentence that the client got
     */
    void lowMemory(String heap, long size, String reason);

    /**
     * A buffer became unreachable and had not been closed.
     *
     * @param heap where it came from
     * @param client symbolic name of the bundle that lost it
     * @param name of the buffer
     * @param size bytes
     * @param site where it was allocated; empty when that is not kept
     */
    void leaked(String heap, String client, String name, long size, String site);
}
