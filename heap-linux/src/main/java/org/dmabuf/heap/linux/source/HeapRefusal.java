// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Exceptions common to all heaps, in addition to those of a {@link RequestValidator}, with the error numbers and
 * messages that the heap contract requires. The caller throws the returned exception.
 */
public final class HeapRefusal {
    private HeapRefusal() {}

    /**
     * Returns the exception for a request that exceeds the heap's own memory.
     * {@link org.dmabuf.heap.linux.headroom.Headroom#reserve} throws its own exception for the machine's memory.
     *
     * @param heap the heap's name
     * @param size requested bytes
     * @param free free bytes of the heap
     * @return an exception with {@link Errno#ENOMEM}, after which the broker may ask another heap
     */
    public static HeapException noRoom(String heap, long size, long free) {
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                size + " bytes do not fit: " + Bytes.text(free) + " free; ask for less, or close buffers");
    }

    /**
     * Returns the exception for a descriptor of a buffer that was requested without one.
     *
     * @param heap the heap of the buffer
     * @param size bytes of the buffer
     * @return {@link Errno#ENOTSUP}
     */
    public static HeapException notExportable(String heap, long size) {
        return HeapException.of(
                Errno.ENOTSUP,
                heap,
                "a buffer of " + Bytes.text(size) + " was allocated with ExportMode.NONE and has no descriptor to give;"
                        + " allocate it with READ_ONLY or READ_WRITE");
    }

    /**
     * Returns the exception for a mapping of memory that the CPU cannot access.
     *
     * @param heap the heap of the buffer
     * @param size bytes of the buffer
     * @return {@link Errno#EINVAL}
     */
    public static HeapException notMappable(String heap, long size) {
        return HeapException.of(
                Errno.EINVAL,
                heap,
                "a buffer of " + Bytes.text(size)
                        + " cannot be mapped, because the CPU cannot access its memory; pass its descriptor to a"
                        + " device, or use a heap whose heap.mappable is true");
    }
}
