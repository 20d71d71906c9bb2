// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/** What the holder of an exported descriptor may do with a buffer. It is fixed when the buffer is allocated. */
public enum ExportMode {
    /** No descriptor is made. A heap can be faster then: a carveout hands out a range with no system call. */
    NONE,
    /** Holders map and read. A heap that cannot keep them from writing is skipped. */
    READ_ONLY,
    /** Holders read and write. */
    READ_WRITE
}
