// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

/**
 * Device node that clients see.
 *
 * @param path absolute path in the client's own mount namespace
 * @param abi the ioctl that it accepts
 * @param heap the heap that it stands for; empty for {@link Abi#ION}, where a mask selects the heap
 * @param emulated whether the heap may emulate contiguous memory
 */
record Node(String path, Abi abi, String heap, boolean emulated) {
    @Override
    public String toString() {
        return path + " (" + abi + (heap.isEmpty() ? "" : " " + heap) + (emulated ? " emulated" : "") + ")";
    }
}
