// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;

/**
 * Refusal of a request that cannot be met: by what it asks for, by a permission, or because no heap of the kind serves.
 * Another try fails as well until one of these is changed.
 */
public final class HeapRefusedException extends HeapException {
    private static final long serialVersionUID = 1L;

    HeapRefusedException(
            Errno errno, int number, String heap, String reason, Throwable cause, List<Attempt> attempts) {
        super(errno, number, heap, reason, cause, attempts);
    }
}
