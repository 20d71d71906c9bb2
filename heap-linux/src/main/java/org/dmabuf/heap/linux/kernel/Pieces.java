// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Division of an allocation into pieces. Between two pieces an interrupt of the thread ends the allocation. The thread
 * stays interrupted, and the caller releases what it has allocated.
 *
 * <p>A signal during fallocate(2) undoes the whole call. With pieces, the signals of a profiler cannot prevent a large
 * allocation from finishing.
 */
public final class Pieces {
    private static final long PIECE = 64L << 20;

    private Pieces() {}

    /**
     * Returns the size of the next piece.
     *
     * @param heap named in a refusal
     * @param done bytes that are already allocated
     * @param size bytes of the whole allocation
     * @return bytes of the next piece
     * @throws HeapException {@link Errno#EINTR} when the thread is interrupted and the first piece is done
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
