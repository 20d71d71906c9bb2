// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Service for a heap that cannot be announced, because a resource is short or its start failed. The broker lists the
 * heap with the reason as long as the service is registered, and calls no method of it. {@code HeapStart} of heap-linux
 * registers it for the heaps that it starts.
 *
 * <p>The broker lists the service properties: {@link org.dmabuf.heap.HeapProperties#NAME}, and those below.
 */
@ConsumerType
public interface UnavailableHeap {
    /** Service property: why the heap does not serve, as a sentence with the cause and the remedy: String, required. */
    String REASON = "heap.reason";

    /**
     * Service property: whether the start is repeated automatically: Boolean, false when absent. If true, the heap is
     * listed as {@link org.dmabuf.heap.HeapState#WAITING}, otherwise as {@link org.dmabuf.heap.HeapState#FAILED}.
     */
    String RETRIED = "heap.retried";

    /** Service property: the PID of the heap's configuration: String, optional. */
    String PID = "heap.pid";

    /** Service property: the file that the configuration came from: String, optional. */
    String FILE = "heap.file";
}
