// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.Map;
import java.util.OptionalLong;
import org.osgi.annotation.versioning.ProviderType;

/** Charges to a heap, to a client, or to a client on one heap, at one moment. Immutable. */
@ProviderType
public interface Charges {
    /** {@return the heap's name, empty for a client on all heaps} */
    String heap();

    /** {@return the client's symbolic name, empty for a heap with all its clients} */
    String client();

    /** {@return buffers that are referenced or mapped in this process} */
    long liveBuffers();

    /** {@return bytes in those buffers} */
    long liveBytes();

    /** {@return buffers that this process has closed and that are still held elsewhere} */
    long lingeringBuffers();

    /** {@return bytes in those buffers} */
    long lingeringBytes();

    /**
     * The most bytes, live and lingering, that were charged at once since the peaks were reset. That of a client on all
     * heaps counts what a quota had set aside for calls under way, too.
     *
     * @return bytes
     */
    long peakBytes();

    /** {@return the quota in bytes, which live and lingering buffers count against; empty for none} */
    OptionalLong limit();

    /**
     * How often an allocation or adoption failed: for a heap each time that it, or the broker on its behalf, refused;
     * for a client each request that got no buffer.
     *
     * @return count by cause, without those that did not occur
     */
    Map<Errno, Long> failures();
}
