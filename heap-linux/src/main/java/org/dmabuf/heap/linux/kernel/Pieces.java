// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Pieces in which a buffer gets its memory. Between two of them an interrupt of the thread ends the allocation. The
 * thread's flag stays as it is, and the caller gives back what it has taken.
 *
 * <p>fallocate(2) also undoes all of a call that a signal interrupts: in pieces, a profiler's signals cannot keep a
 * large buffer from ever getting done.
 */
public final class Pieces {
    private static final long PIECE = 64L << 20;

    private Pieces() {}

    /**
     * Tells how much comes next.
     *
     * @param heap named in a refusal
     * @param done bytes that are done
     * @param size bytes in all
     * @return bytes of the next piece
     * @throws HeapException {@link Errno#EINTR} when something is done and the thread was interrupted
     */
    public static long next(String heap, long done, long size) {
        if (done > 0 && Thread.currentThread().isInterrupted()) {
            throw HeapException.of(
                    Errno.EINTR,
                    heap,
                    "interrupted after " + Bytes.text(done) + " of " + Bytes.text(size) + "; nothing is held");
        }
        return Math.min(PIECE, size - done);
    }
}
