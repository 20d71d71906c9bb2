// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/** Failure of an allocation whose thread was interrupted. The thread stays interrupted. */
final class Interruption {
    private Interruption() {}

    /** Throws {@link Errno#EINTR} when the thread is interrupted. */
    static void check() {
        if (Thread.currentThread().isInterrupted()) {
            throw failure();
        }
    }

    static HeapException failure() {
        return HeapException.of(
                Errno.EINTR, "the allocation was interrupted; nothing is held, and the thread stays interrupted");
    }
}
