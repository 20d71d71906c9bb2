// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/** Access that an exported descriptor permits. It is fixed when the buffer is allocated. */
public enum ExportMode {
    /** The buffer has no descriptor. This can be faster: a carveout then allocates without a system call. */
    NONE,
    /** Holders map and read. A heap that cannot prevent them from writing is skipped. */
    READ_ONLY,
    /** Holders read and write. */
    READ_WRITE
}
