// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Exporter of the buffers of one heap. A heap registers it as an OSGi service with the properties of
 * {@link org.dmabuf.heap.HeapProperties} when its memory is available, and unregisters it to withdraw the memory.
 *
 * <p>Any thread may call any method concurrently, never while holding a lock of the broker. When the service is
 * unregistered, the broker waits for calls of {@link #allocate} in progress, 2 seconds by default. Buffers outlive the
 * service, and also its bundle if that is uninstalled.
 *
 * <p>The broker checks part of this contract. A heap breaks it by throwing anything but a HeapException or an
 * OutOfMemoryError. It also breaks it by returning null, a buffer of a wrong or impossible size, or an incomplete or
 * misaligned mapping. The log and the client's exception then name the heap, the request fails with
 * {@link org.dmabuf.heap.Errno#EIO}, and the returned buffer is released. The broker does not check that memory is
 * zeroed or aligned beyond a page, because the check would slow down every client. The test kit heap-tck does.
 */
@ConsumerType
public interface HeapExporter {
    /**
     * Makes one zeroed buffer. May block. A heap that works for a long time checks the thread's interrupt flag between
     * two steps, and throws {@link org.dmabuf.heap.Errno#EINTR} without clearing it. The broker releases a buffer that
     * is returned after an interrupt.
     *
     * @param request size, alignment, export mode and name, which the request has checked. The broker passes only an
     *     alignment within {@code heap.alignment} and an export mode that the heap announced. Other callers of the
     *     service may pass any. A heap must therefore refuse an unsupported request with
     *     {@link org.dmabuf.heap.Errno#EINVAL} before any system call, as the sources of heap-linux do
     * @return a new buffer, which the broker releases
     * @throws HeapException with nothing held; {@link org.dmabuf.heap.Errno#ENOMEM} when there is not enough memory,
     *     and the broker may ask another heap
     */
    HeapBuffer allocate(HeapRequest request);

    /**
     * Reports how full the heap is. It must be cheap and should never block, because listings and metrics poll it. A
     * thread of the broker calls it, one call at a time. While a call has not returned, listings show the previous
     * answer with its age, and the heap as {@link org.dmabuf.heap.HeapState#HANGING}.
     *
     * @return the figures that the heap knows, in bytes; by default all are unknown
     */
    default HeapUsage usage() {
        return HeapUsage.unknown();
    }

    /**
     * Releases pooled memory to the machine. The broker calls it when a request finds too little memory, on a thread
     * that it has for this heap, one call at a time.
     *
     * @param bytes how much memory is needed
     * @return bytes that were released; 0 by default
     */
    default long trim(long bytes) {
        return 0;
    }
}
