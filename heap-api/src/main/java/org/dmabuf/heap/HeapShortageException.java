// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;

/**
 * Shortage of something that comes back: memory of a heap or of the machine, room in a quota, descriptors, mappings.
 * Another try may succeed once buffers, descriptors or arenas have been closed.
 */
public final class HeapShortageException extends HeapException {
    private static final long serialVersionUID = 1L;

    HeapShortageException(
            Errno errno, int number, String heap, String reason, Throwable cause, List<Attempt> attempts) {
        super(errno, number, heap, reason, cause, attempts);
    }
}
