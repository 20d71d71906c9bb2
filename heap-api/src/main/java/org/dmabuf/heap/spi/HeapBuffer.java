// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Memory of one buffer, as a heap hands it to the broker. The broker calls it from any thread, possibly several at
 * once, pairs the calls as the methods require, and calls no method after {@link #release()}.
 *
 * <p>It goes on working after its heap's service has gone and its bundle was stopped, updated or uninstalled. No class
 * may have to be loaded by then: the ready-made buffers of heap-linux keep to that.
 */
@ConsumerType
public interface HeapBuffer {
    /** {@return bytes, at least those asked for; the same on every call} */
    long size();

    /**
     * The buffer's descriptor, made on the first call, lent to the broker and valid until {@link #release()}. It gives
     * the access that the request's {@link HeapRequest#export()} names.
     *
     * @return a descriptor number
     * @throws HeapException {@link org.dmabuf.heap.Errno#ENOTSUP} for {@link org.dmabuf.heap.ExportMode#NONE}
     */
    int descriptor();

    /**
     * Maps the whole buffer into the process.
     *
     * @param access WRITE is as READ_WRITE
     * @return {@link #size()} bytes, valid until {@link #unmap}, accessible from every thread
     * @throws HeapException {@link org.dmabuf.heap.Errno#EINVAL} for memory that cannot be mapped
     */
    MemorySegment map(Access access);

    /**
     * Ends a mapping. Called once for each {@link #map}, from a thread of the broker.
     *
     * @param mapping what {@link #map} returned
     */
    void unmap(MemorySegment mapping);

    /**
     * Begins a CPU access: makes memory and caches agree. CPU accesses may nest and overlap, and each must reach the
     * device. May wait for fences without limit; an interrupt of the thread need not end the wait. Nothing to do for
     * coherent memory.
     *
     * @param access direction
     */
    default void beginCpuAccess(Access access) {}

    /**
     * Ends a CPU access, in the direction in which it was begun. Called once for each {@link #beginCpuAccess} that
     * returned.
     *
     * @param access direction
     */
    default void endCpuAccess(Access access) {}

    /**
     * Gives the memory back: exactly once, after the last unmap and the end of the last CPU access. Never throws.
     * Called by the thread that closes the last reference, or by a thread of the broker.
     */
    void release();
}
