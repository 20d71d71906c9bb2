// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Service of a heap that cannot be announced yet, because what it needs is short at the moment. The broker lists the
 * heap as waiting for as long as the service is registered, and calls no method of it.
 *
 * <p>The service properties hold what is listed: {@link org.dmabuf.heap.HeapProperties#NAME}, and {@link #REASON}.
 */
@ConsumerType
public interface WaitingHeap {
    /** Service property: why the heap waits, as a sentence with what is short and the remedy: String, required. */
    String REASON = "heap.reason";
}
