// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

/**
 * Probe for enough stack before steps that belong together: a StackOverflowError comes before the first of them, and
 * not between two. It costs some ten nanoseconds, so calls that are made for each allocation order their steps instead.
 */
final class StackProbe {
    /** More than any call of the broker and of heap-linux needs below its first. */
    private static final int FRAMES = 64;

    private StackProbe() {}

    /** Throws {@link StackOverflowError} where little stack is left. */
    static void require() {
        descend(FRAMES);
    }

    private static int descend(int frames) {
        return frames == 0 ? 0 : 1 + descend(frames - 1);
    }
}
