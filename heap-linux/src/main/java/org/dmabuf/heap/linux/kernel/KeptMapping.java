// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.lang.foreign.MemorySegment;

/** Buffer of which a mapping can be made as a part of its allocation. */
public interface KeptMapping {
    /**
     * Maps the whole buffer for reading and writing, with every page touched, as {@link Mmap#mapToKeep} does. An
     * interrupt of the thread ends it, which it does not for a client's mapping.
     */
    MemorySegment mapToKeep();
}
