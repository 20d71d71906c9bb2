// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Buffer that a heap makes for the broker. The broker calls it from any thread, possibly from several at once. It pairs
 * the calls as the methods require and calls no method after {@link #release()}.
 *
 * <p>A buffer must keep working after its heap's service is unregistered and its bundle is stopped, updated or
 * uninstalled. It must not need to load a class by then. The ready-made buffers of heap-linux meet this requirement.
 */
@ConsumerType
public interface HeapBuffer {
    /** {@return the size in bytes, at least the requested size; the same on every call} */
    long size();

    /**
     * Returns the buffer's descriptor, which the first call makes. The buffer owns it, and it is valid until
     * {@link #release()}. It permits the access that {@link HeapRequest#export()} of the request names.
     *
     * @return a descriptor number
     * @throws HeapException {@link org.dmabuf.heap.Errno#ENOTSUP} for {@link org.dmabuf.heap.ExportMode#NONE}
     */
    int descriptor();

    /**
     * Maps the whole buffer into the process.
     *
     * @param access the direction; WRITE means the same as READ_WRITE
     * @return {@link #size()} bytes, valid until {@link #unmap}, accessible from every thread
     * @throws HeapException {@link org.dmabuf.heap.Errno#EINVAL} for memory that cannot be mapped
     */
    MemorySegment map(Access access);

    /**
     * Ends a mapping. Called once for each {@link #map}, from a thread of the broker; again only after an error of a
     * {@link RepeatableRelease}.
     *
     * @param mapping the segment that {@link #map} returned
     */
    void unmap(MemorySegment mapping);

    /**
     * Begins a CPU access: makes the CPU caches and the memory coherent. CPU accesses may nest and overlap, and each
     * must reach the device. The call may wait for fences without limit, and an interrupt of the thread need not end
     * the wait. Coherent memory needs no action.
     *
     * @param access direction
     */
    default void beginCpuAccess(Access access) {}

    /**
     * Ends a CPU access in the direction in which it was begun. Called once for each {@link #beginCpuAccess} that
     * returned.
     *
     * @param access direction
     */
    default void endCpuAccess(Access access) {}

    /**
     * Releases the memory. The broker calls it once, after the last unmap and the end of the last CPU access. The call
     * comes from the thread that closes the last reference, or from a thread of the broker. It must not throw. Only a
     * {@link RepeatableRelease} may throw an error of Java memory or stack, and is then called again.
     */
    void release();
}
