// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import org.dmabuf.heap.linux.text.Bytes;

/** Sizes of the measured buffers, and numbers of operations that go with them. */
final class Sizes {
    static final long MIB = 1 << 20;
    /** A frame of 3840 x 2160 pixels in NV12. */
    static final long FRAME = 12_441_600;

    /**
     * Bytes of a turn. A round must take less than 2 s, after which the host of a virtual machine takes freed memory
     * back, so that each contender would find cold memory.
     */
    private static final long TURN_BYTES = 32 * MIB;

    private Sizes() {}

    /** {@return the name of a row for a size} */
    static String name(long size) {
        return size % Bytes.PAGE == 0 ? Bytes.text(size) : size + " bytes";
    }

    /** {@return the number of buffers of a turn, so that a turn exceeds the noise of the clock} */
    static int times(long size) {
        return (int) Math.clamp(TURN_BYTES / size, 1, 64);
    }
}
