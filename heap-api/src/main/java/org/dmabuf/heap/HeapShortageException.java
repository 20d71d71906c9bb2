// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;

/**
 * Shortage of a resource: memory of a heap or of the machine, quota, descriptors, or mappings. The same request may
 * succeed after buffers, descriptors or arenas have been closed.
 */
public final class HeapShortageException extends HeapException {
    private static final long serialVersionUID = 1L;

    HeapShortageException(
            Errno errno, int number, String heap, String reason, Throwable cause, List<Attempt> attempts) {
        super(errno, number, heap, reason, cause, attempts);
    }
}
