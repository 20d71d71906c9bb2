// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.Optional;
import java.util.OptionalLong;

/** The view of a buffer that its {@link Charge} has. */
public interface Charged {
    /**
     * The uses of a buffer at one moment.
     *
     * @param references references of clients and publications
     * @param mappings that have not ended
     * @param cpuAccesses CPU accesses that have not ended
     * @param exported whether a descriptor has left
     * @param inode of the descriptor, when one has left
     */
    record Uses(int references, int mappings, int cpuAccesses, boolean exported, OptionalLong inode) {
        public static final Uses NONE = new Uses(0, 0, 0, false, OptionalLong.empty());
    }

    /** {@return bytes} */
    long size();

    /** {@return the name for people} */
    Optional<String> name();

    /**
     * Counts how it is used now. Calls no code of the heap.
     *
     * @return its uses; a use that begins or ends meanwhile may be counted as a reference
     */
    Uses uses();
}
