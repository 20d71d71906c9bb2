// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.syscall;

/** Wrapper that puts a test's answers in front of the kernel's. */
public interface Wrapping {
    /**
     * {@return calls that go to the given ones, or not}
     *
     * @param type their interface
     * @param calls of the running kernel
     */
    <C> C wrap(Class<C> type, C calls);
}
