// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.NewMemfd;

/** Kind of memory in physical runs of 2 MiB. Any thread may call any method. */
interface Runs {
    /** {@return its value of {@code heap.backend}} */
    String backend();

    /**
     * Makes a memfd of one run.
     *
     * @param name name in /proc
     * @return a descriptor that the caller owns; the memfd must not be exported
     * @throws HeapException when there is no run
     */
    NewMemfd make(String name);

    /** {@return the exception for a kernel that makes no dma-buf of the memory} */
    default HeapException notPinned(HeapException e) {
        return e;
    }

    /**
     * Requires that the memory is one run after a dma-buf has pinned it.
     *
     * @param mapping of the memfd
     * @throws HeapException when it is not, or the kernel does not show it
     */
    void requireOneRun(MemorySegment mapping);

    /** {@return the begun count of a buffer's memory} */
    HeldMemory count(NewMemfd memfd);

    /** {@return the memory that is left} */
    HeapUsage usage();
}
