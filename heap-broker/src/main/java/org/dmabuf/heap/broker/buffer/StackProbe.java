// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

/**
 * Probe for enough stack before a sequence of steps, so that a StackOverflowError occurs before the first step and not
 * between two steps. It costs about ten nanoseconds. Methods that run for each allocation order their steps safely
 * instead.
 */
final class StackProbe {
    /** More nested frames than any call in the broker and in heap-linux needs. */
    private static final int FRAMES = 64;

    private StackProbe() {}

    /** Throws {@link StackOverflowError} if little stack is left. */
    static void require() {
        descend(FRAMES);
    }

    private static int descend(int frames) {
        return frames == 0 ? 0 : 1 + descend(frames - 1);
    }
}
