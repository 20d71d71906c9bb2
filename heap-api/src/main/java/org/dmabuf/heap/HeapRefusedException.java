// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;

/**
 * Refusal of a request because of its contents, a missing permission, or the lack of a suitable heap. The same request
 * fails again until one of these changes.
 */
public final class HeapRefusedException extends HeapException {
    private static final long serialVersionUID = 1L;

    HeapRefusedException(Errno errno, int number, String heap, String reason, Throwable cause, List<Attempt> attempts) {
        super(errno, number, heap, reason, cause, attempts);
    }
}
