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
    Upkeep withoutPeers() {
        return new Upkeep(reaper, descriptors, Optional.empty(), journal);
    }
}
