// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/**
 * Java heap that is filled to its last bytes until it is closed. It needs the serial collector without buffers of
 * threads ({@code -XX:+UseSerialGC -XX:-UseTLAB}), so that any thread's next allocation can use the remaining bytes.
 */
final class FullHeap implements AutoCloseable {
    private static final int HEADER = 16;
    private static final int[] PIECES = {64 << 10, 4 << 10, 256, HEADER};

    /** Memory for the list of the pieces, allocated before the heap is filled. */
    private static final Object[] BALLAST = new Object[1 << 17];

    private static int used;

    /**
     * Fills the heap.
     *
     * @param left bytes that can be allocated still
     */
    @SuppressWarnings("UnusedVariable") // a reserve to release
    FullHeap(int left) {
        byte[] spare = new byte[left];
        for (int piece : PIECES) {
            fill(piece);
        }
        spare = null;
    }

    private static void fill(int piece) {
        try {
            while (used < BALLAST.length) {
                BALLAST[used] = new byte[piece - HEADER];
                used++;
            }
        } catch (OutOfMemoryError e) {
            return;
        }
        throw new AssertionError("the heap is too large to be filled with pieces of " + piece + " bytes");
    }

    @Override
    public void close() {
        while (used > 0) {
            BALLAST[--used] = null;
        }
    }
}
