// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.OptionalLong;

/** A buffer as its {@link Charge} sees it. */
public interface Charged {
    /**
     * The uses of a buffer at one moment.
     *
     * @param references references of clients and publications
     * @param mappings not ended
     * @param brackets not ended
     * @param exported whether a descriptor has left
     * @param inode of the descriptor, when one has left
     */
    record Uses(int references, int mappings, int brackets, boolean exported, OptionalLong inode) {
        public static final Uses NONE = new Uses(0, 0, 0, false, OptionalLong.empty());
    }

    /** {@return bytes} */
    long size();

    /** {@return for people, empty for none} */
    String name();

    /**
     * Looks at how it is used now. Calls no code of the heap.
     *
     * @return its uses; one that begins or ends meanwhile may be counted as a reference
     */
    Uses uses();
}
