// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.Optional;

/** Part of a buffer that its {@link Charge} uses. */
public interface Charged {
    /**
     * The uses of a buffer at one moment.
     *
     * @param references references of clients and publications
     * @param mappings that have not ended
     * @param cpuAccesses CPU accesses that have not ended
     */
    record Uses(int references, int mappings, int cpuAccesses) {
        public static final Uses NONE = new Uses(0, 0, 0);
    }

    /** {@return bytes} */
    long size();

    /** {@return the name for listings} */
    Optional<String> name();

    /** {@return the file of its descriptors; empty before the first export} */
    Optional<ExportedFile> file();

    /**
     * Counts the current uses of the buffer. Calls no code of the heap.
     *
     * @return its uses; a use that begins or ends during the call may be counted as a reference
     */
    Uses uses();
}
