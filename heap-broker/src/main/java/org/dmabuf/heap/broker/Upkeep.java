// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Optional;
import org.dmabuf.heap.linux.Descriptors;
import org.dmabuf.heap.linux.Peers;

/**
 * What every buffer needs for its life.
 *
 * @param reaper unmaps and releases where a client must not wait for it
 * @param descriptors duplicates
 * @param peers tells when others have let go; empty for memory that others are charged for
 * @param journal is told of its end
 */
record Upkeep(Reaper reaper, Descriptors descriptors, Optional<Peers> peers, Journal journal) {
    /** {@return a moment, for {@link #hasComeBack}} */
    long moment() {
        return reaper.done() + (peers.isPresent() ? peers.get().told() : 0);
    }

    /**
     * Waits for what is on its way back to the heaps: the ends of mappings and buffers that were handed over, and the
     * charges of buffers that peers do not hold any more.
     *
     * @param since a moment
     * @return whether there was any since then, so that it is worth while to ask again
     */
    boolean hasComeBack(long since) {
        return reaper.settle() + (peers.isPresent() ? peers.get().look() : 0) != since;
    }

    Upkeep withoutPeers() {
        return new Upkeep(reaper, descriptors, Optional.empty(), journal);
    }
}
