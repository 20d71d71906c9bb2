// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import org.osgi.annotation.versioning.ProviderType;

/**
 * OSGi service for one buffer that another bundle has published, see {@link HeapBroker#publish}. Its service properties
 * are {@link HeapProperties#BUFFER_NAME}, {@link HeapProperties#BUFFER_SIZE}, {@link HeapProperties#BUFFER_ACCESS} and
 * {@link HeapProperties#NAME}. Any thread may call any method.
 */
@ProviderType
public interface PublishedBuffer {
    /** {@return the name under which it was published} */
    String name();

    /** {@return the size in bytes} */
    long size();

    /**
     * {@return the access that a reference permits: {@link Access#READ}, or {@link Access#READ_WRITE} if the publisher
     * grants it}
     */
    Access access();

    /**
     * Opens a reference for the bundle that got this service. It stays open until it is closed or the bundle stops,
     * even after the service is unregistered. The memory is not charged again.
     *
     * <p>A reference for reading permits only mappings and CPU accesses for reading. It can export a descriptor only if
     * the buffer was allocated with {@link ExportMode#READ_ONLY}.
     *
     * @return a reference that the caller closes
     * @throws IllegalStateException when the publication has ended, or the bundle has stopped
     */
    DmaBuf open();
}
