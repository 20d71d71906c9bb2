// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;

/** State of one heap as the broker knows it, at one moment. Immutable. */
@ProviderType
public interface HeapInfo {
    /** {@return {@code heap.name}; for a heap refused without one, a text that distinguishes the service} */
    String name();

    /** {@return where it stands} */
    HeapState state();

    /** {@return why it does not serve, and what of its code hangs and for how long; empty when it serves} */
    String reason();

    /** {@return its service properties, those of {@link HeapProperties} among them} */
    Map<String, Object> properties();

    /** {@return the symbolic name of the bundle that announced it} */
    String bundle();

    /**
     * Figures that the heap itself last reported of its memory. A listing waits a second at most for all heaps
     * together, and shows an older answer for a heap that does not answer in time.
     *
     * @return nothing known for a heap that does not serve, or that has not answered yet
     */
    HeapUsage usage();

    /**
     * How old {@link #usage()} is; before a heap's first answer, for how long it has been asked.
     *
     * @return zero when the heap answered for this listing
     */
    Duration usageAge();

    /** {@return buffers of it that are referenced or mapped, as the broker counts them} */
    long liveBuffers();

    /** {@return bytes in those buffers} */
    long liveBytes();

    /**
     * Buffers of it that this process has closed and unmapped, and whose memory still has a holder: another process, a
     * device, or a descriptor here that was not closed. Each is counted here or among the
     * live ones, and never in both.
     *
     * @return how many
     */
    long lingeringBuffers();

    /** {@return bytes in those buffers} */
    long lingeringBytes();
}
