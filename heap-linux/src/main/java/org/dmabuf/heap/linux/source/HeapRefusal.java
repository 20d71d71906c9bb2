// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Refusals that every heap has beside those of a {@link RequestValidator}, with the error numbers and the sentences
 * that the heap contract asks for. The caller throws what is returned.
 */
public final class HeapRefusal {
    private HeapRefusal() {}

    /**
     * A request for which the heap has too little memory of its own. Of what the machine has left,
     * {@link org.dmabuf.heap.linux.headroom.Headroom#reserve} refuses by itself.
     *
     * @param heap the heap's name
     * @param size bytes that were asked for
     * @param free bytes that it has
     * @return {@link Errno#ENOMEM}, upon which another heap may be asked
     */
    public static HeapException noRoom(String heap, long size, long free) {
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                size + " bytes do not fit: " + Bytes.text(free) + " free; ask for less, or close buffers");
    }

    /**
     * A descriptor of a buffer that was requested without one.
     *
     * @param heap whose buffer it is
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
     * A mapping of memory that the CPU does not reach.
     *
     * @param heap whose buffer it is
     * @param size bytes of the buffer
     * @return {@link Errno#EINVAL}
     */
    public static HeapException notMappable(String heap, long size) {
        return HeapException.of(
                Errno.EINVAL,
                heap,
                "a buffer of " + Bytes.text(size)
                        + " is out of the CPU's reach and cannot be mapped; give its descriptor to a device, or use a"
                        + " heap whose heap.mappable is true");
    }
}
