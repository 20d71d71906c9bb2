// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Exporter of buffers: one heap. Register it as an OSGi service with the properties of
 * {@link org.dmabuf.heap.HeapProperties} once its memory is there, and unregister it to take it away: no memory, no
 * service.
 *
 * <p>Every method is called by any thread, concurrently, and never under a lock of the broker. When the service goes,
 * the broker waits for the calls inside {@link #allocate}, 2 seconds by default. Buffers outlive the service and, when
 * the bundle is uninstalled, its bundle too.
 *
 * <p>A heap that breaks this contract is named in the log and to the client, whose request ends with
 * {@link org.dmabuf.heap.Errno#EIO}: one that throws anything but a HeapException or an OutOfMemoryError, returns null,
 * a buffer that is smaller than asked for or of a size that cannot be, or a mapping that is not whole or not aligned
 * within its page. What it returned is released. Whether memory is zeroed, and aligned beyond a page, the broker does
 * not check, because that would cost each client what only a wrong heap needs: the contract's test kit does.
 */
@ConsumerType
public interface HeapExporter {
    /**
     * Makes one buffer, zeroed. May block. A heap that works for long looks at the thread's interrupt flag between two
     * steps, and throws {@link org.dmabuf.heap.Errno#EINTR} without clearing it; a buffer that is returned after an
     * interrupt is released by the broker.
     *
     * @param request size, alignment, export mode and name, which were checked when the request was made. From the
     *     broker the alignment is within {@code heap.alignment} and the export mode is one that the heap announced. A
     *     heap still refuses what it cannot do with {@link org.dmabuf.heap.Errno#EINVAL} before any system call, since
     *     the broker is not the only caller of the service; the sources of heap-linux do
     * @return a new buffer, which the broker releases
     * @throws HeapException with nothing held: {@link org.dmabuf.heap.Errno#ENOMEM} when there is not enough memory and
     *     another heap may be asked
     */
    HeapBuffer allocate(HeapRequest request);

    /**
     * Reports how full the heap is. Cheap, and should never block: it is pulled by listings and metrics. A thread of
     * the broker calls it, one call at a time. While a call has not returned, listings show the answer before it with
     * its age, and the heap as {@link org.dmabuf.heap.HeapState#HANGING}.
     *
     * @return the figures that the heap knows, in bytes; by default none is known
     */
    default HeapUsage usage() {
        return HeapUsage.unknown();
    }

    /**
     * Gives memory that the heap keeps for speed back to the machine. The broker calls it when a request finds too
     * little memory, on a thread of its own for this heap, one call at a time.
     *
     * @param bytes how much is wanted
     * @return bytes that were given back; 0 by default
     */
    default long trim(long bytes) {
        return 0;
    }
}
