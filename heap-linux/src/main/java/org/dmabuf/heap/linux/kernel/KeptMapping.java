// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.lang.foreign.MemorySegment;

/** Buffer whose mapping can be made as a part of its allocation. */
public interface KeptMapping {
    /**
     * Maps the whole buffer for reading and writing, with every page touched, as {@link Mmap#mapToKeep} does. An
     * interrupt of the thread ends the call, unlike the mapping of a client.
     */
    MemorySegment mapToKeep();
}
