// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.Optional;
import java.util.OptionalLong;

/** Part of a buffer that its {@link Charge} uses. */
public interface Charged {
    /**
     * The uses of a buffer at one moment.
     *
     * @param references references of clients and publications
     * @param mappings that have not ended
     * @param cpuAccesses CPU accesses that have not ended
     * @param exported whether a descriptor was exported
     * @param inode of the descriptor, if one was exported
     */
    record Uses(int references, int mappings, int cpuAccesses, boolean exported, OptionalLong inode) {
        public static final Uses NONE = new Uses(0, 0, 0, false, OptionalLong.empty());
    }

    /** {@return bytes} */
    long size();

    /** {@return the name for listings} */
    Optional<String> name();

    /**
     * Counts the current uses of the buffer. Calls no code of the heap.
     *
     * @return its uses; a use that begins or ends during the call may be counted as a reference
     */
    Uses uses();
}
