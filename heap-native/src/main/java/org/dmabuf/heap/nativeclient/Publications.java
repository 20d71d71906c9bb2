// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.nativeclient.protocol.Reply;

/** Buffers that bundles have published. */
interface Publications {
    /** {@return all of them, ordered by name} */
    List<Reply.PublishedEntry> list();

    /**
     * Opens a reference, which the publisher is charged for.
     *
     * @param name name of the publication; of several, the service with the highest ranking counts
     * @param write whether the reference must permit writing
     * @return a reference that the caller closes, empty for an unknown name
     * @throws org.dmabuf.heap.HeapException {@link org.dmabuf.heap.Errno#EACCES} when it does not permit writing
     */
    Optional<DmaBuf> open(String name, boolean write);
}
