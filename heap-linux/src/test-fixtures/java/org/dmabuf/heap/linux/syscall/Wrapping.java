// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.syscall;

/** Puts a test's answers before the kernel's. */
public interface Wrapping {
    /**
     * {@return calls that go to the given ones, or not}
     *
     * @param type their interface
     * @param calls of the running kernel
     */
    <C> C wrap(Class<C> type, C calls);
}
