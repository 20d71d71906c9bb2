// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Service of a heap that cannot be announced: what it needs is short at the moment, or it could not start. The broker
 * lists the heap with the reason for as long as the service is registered, and calls no method of it. Heaps that start
 * through heap-linux's {@code HeapStart} have it registered for them.
 *
 * <p>The service properties hold what is listed: {@link org.dmabuf.heap.HeapProperties#NAME}, and those below.
 */
@ConsumerType
public interface UnavailableHeap {
    /** Service property: why the heap does not serve, as a sentence with the cause and the remedy: String, required. */
    String REASON = "heap.reason";

    /**
     * Service property: whether the heap is tried again by itself: Boolean, false when absent. The heap is listed as
     * {@link org.dmabuf.heap.HeapState#WAITING} then, and otherwise as {@link org.dmabuf.heap.HeapState#FAILED}.
     */
    String RETRIED = "heap.retried";

    /** Service property: the PID of the heap's configuration: String, optional. */
    String PID = "heap.pid";

    /** Service property: the file that the configuration came from: String, optional. */
    String FILE = "heap.file";
}
